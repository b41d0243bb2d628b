/**
 * Changes that a client on stdio was not told of while the stream of its session was down.
 *
 * Source: 2025-11-25 server/tools and server/resources, "List Changed Notification" and "Subscriptions";
 * basic/transports, "Resumability and Redelivery": behind no event id nothing is given again.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as relay from "../testing/relay.ts";
import * as stdioClient from "../testing/stdio_client.ts";

const { finish, json, resultFor, StdioClient, WrittenStream } = stdioClient;
const { settled } = relay;

const capabilities = { tools: { listChanged: true }, prompts: {}, resources: { subscribe: true } };
const MISSED = ["notifications/tools/list_changed", "a:"];

/** A client that has subscribed to a resource, and the streams that it is given, one after the other. */
async function listening() {
  const streams: stdioClient.WrittenStream[] = [];
  let sessions = 0;
  const client = new StdioClient({
    script: (seen) => {
      const { request, message: { method, id } } = seen;
      if (request.method === "GET") {
        streams.push(new WrittenStream());
        return streams.at(-1)!.answer();
      }
      if (method !== "initialize") return id === undefined ? undefined : resultFor(seen);
      const result = { protocolVersion: "2025-11-25", capabilities };
      return json({ jsonrpc: "2.0", id, result }, 200, { "mcp-session-id": `s${++sessions}` });
    },
  });
  await client.ask(0, "initialize");
  await client.say({ jsonrpc: "2.0", method: "notifications/initialized" });
  await client.ask(1, "resources/subscribe", { uri: "a:" });
  await settled();
  const again = async () => {
    streams.at(-1)!.end();
    await settled();
    client.clock.advance(60_000);
    await settled();
  };
  /** What the client was told, but for answers. */
  const told = () =>
    client.messages.flatMap(({ method, params }) => method ? [params?.["uri"] ?? method] : []);
  return { client, streams, again, told };
}

Deno.test("a GET stream that is opened again behind no event id: all that may have changed is told once", async () => {
  const { client, streams, again, told } = await listening();
  assertEquals([streams.length, told()], [1, []]);
  await again();
  assertEquals([streams.length, told()], [2, MISSED]);
  streams[1]!.event({ jsonrpc: "2.0", method: "notifications/a" }, "e1");
  await again();
  assertEquals([streams.length, told()], [3, [...MISSED, "notifications/a"]]);
  await finish(client);
});

Deno.test("R81 in a session made anew all that may have changed is told; what the client begins itself has no gap", async () => {
  const { client, streams, told } = await listening();
  streams[0]!.event({ jsonrpc: "2.0", method: "notifications/a" }, "e1");
  const { script } = client;
  client.script = (seen) =>
    seen.request.headers.get("mcp-session-id") === "s1" ? json({}, 404) : script(seen);
  await client.ask(2);
  await settled();
  assertEquals([streams.length, told()], [2, ["notifications/a", ...MISSED]]);
  client.script = script;
  await client.ask(3, "initialize");
  await client.say({ jsonrpc: "2.0", method: "notifications/initialized" });
  await settled();
  assertEquals([streams.length, told().length], [3, 3]);
  await finish(client);
});
