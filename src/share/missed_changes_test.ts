/**
 * Changes that the members of a hub were not told of while its stream was down.
 *
 * Source: 2025-11-25 server/tools and server/resources ("List Changed Notification", "Subscriptions"): whoever
 * is not told keeps what it has; basic/transports, "Resumability and Redelivery": behind no event id nothing is
 * given again.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";
import { sharedUpstream } from "./mod.ts";

const { eventOf, FakeServer, messagesIn, SharedClient, sharedOptions } = share;

const CAPABILITIES = { tools: { listChanged: true }, prompts: {}, resources: { subscribe: true } };
const TOOLS = "notifications/tools/list_changed";

async function setup() {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  server.capabilities = CAPABILITIES;
  const shared = sharedUpstream(server, sharedOptions(clock));
  const [a, b] = [await SharedClient.join(shared), await SharedClient.join(shared)];
  const readers = [await a.listen(), await b.listen()];
  await a.request("resources/subscribe", { uri: "u:1" });
  await b.request("resources/subscribe", { uri: "u:2" });
  /** What each member has been told. */
  const told = async () => {
    const all = [];
    for (const reader of readers) {
      await reader.readAll();
      all.push(messagesIn(reader).map(({ method, params }) => params?.["uri"] ?? method));
    }
    return all;
  };
  const breakOff = async () => {
    server.stream.body.fail(new ProxyError("upstream_closed", "reset"));
    await relay.settled();
    clock.advance(1);
    await relay.settled();
  };
  return { clock, server, a, told, breakOff };
}

Deno.test("a stream taken up again behind no event: each member is told once what it may have missed", async () => {
  const { clock, server, told, breakOff } = await setup();
  assertEquals(await told(), [[], []]);
  await breakOff();
  assertEquals([server.streams.length, await told()], [2, [[TOOLS, "u:1"], [TOOLS, "u:2"]]]);
  clock.advance(10_000);
  await relay.settled();
  assertEquals(await told(), [[TOOLS, "u:1"], [TOOLS, "u:2"]]);
});

Deno.test("a stream taken up again behind an event was given what had come: nothing is told", async () => {
  const { server, told, breakOff } = await setup();
  server.stream.send(eventOf({ jsonrpc: "2.0", method: TOOLS }, "e1"));
  await relay.settled();
  await breakOff();
  const asked = server.calls.filter(({ kind }) => kind === "listen").at(-1)!;
  assertEquals([asked.call.lastEventId, await told()], ["e1", [[TOOLS], [TOOLS]]]);
});

Deno.test("R66 a session made anew: all members are told once what they may have missed", async () => {
  const { server, a, told } = await setup();
  server.stream.send(eventOf({ jsonrpc: "2.0", method: TOOLS }, "e1"));
  await relay.settled();
  server.sessionId = "up-2";
  server.script = ({ call }) => call.sessionId === "up-1" ? server.json({}, 404) : undefined;
  await a.ask({ jsonrpc: "2.0", id: 1, method: "tools/call", params: {} });
  await relay.settled();
  const asked = server.calls.filter(({ kind }) => kind === "listen").at(-1)!;
  assertEquals([asked.call.sessionId, asked.call.lastEventId], ["up-2", null]);
  assertEquals(await told(), [[TOOLS, TOOLS, "u:1"], [TOOLS, TOOLS, "u:2"]]);
});
