/**
 * The HTTP+SSE channel against the v1 SDK's own server of that transport: an official client speaks through
 * the channel as if it were its transport.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { startHttpSseServer } from "../../conformance/servers/http_sse.ts";
import { type Channel, httpSseChannel } from "../channel/mod.ts";
import { systemClock } from "../clock.ts";
import { Fields } from "../http/mod.ts";
import { http1Client, parseTarget } from "../upstream/mod.ts";
import type { CallToolResult, Transport } from "./sdk_v1.ts";
import { textOf } from "./session_client.ts";
import { v1SaysAll } from "./v1_says_all.ts";
import { within } from "./wait.ts";

const NO_TLS = { caCerts: [], cert: undefined, key: undefined };
const TIMEOUTS = { headersMs: 5_000, totalMs: 5_000, bodyIdleMs: 5_000, streamIdleMs: 60_000 };

/** A client's transport over the channel to the stream at `url`. */
function channelTransport(url: string): { transport: Transport; close: () => Promise<void> } {
  const { target, path, query } = parseTarget(url, NO_TLS)!;
  const client = http1Client({
    target,
    connectTimeoutMs: 5_000,
    maxConnections: 8,
    maxStreams: 8,
    maxQueued: 64,
    queueTimeoutMs: 5_000,
    keepAliveMs: 1_000,
    clock: systemClock,
  });
  const open = httpSseChannel(client, {
    target,
    path,
    query,
    headers: {},
    forwardCredentials: false,
    withheld: [],
    timeouts: TIMEOUTS,
    endpointTimeoutMs: 5_000,
    maxEventBytes: 1_048_576,
    clock: systemClock,
  });
  let channel: Channel | undefined;
  const transport: Transport = {
    async start() {
      channel = await open({
        message: (text) => transport.onmessage?.(JSON.parse(text)),
        over: () => transport.onclose?.(),
      }, new Fields());
    },
    send: (message) => channel!.send(JSON.stringify(message)),
    close: () => channel!.close(),
  };
  return { transport, close: () => client.close() };
}

Deno.test("the channel carries all that a client and the v1 SDK's HTTP+SSE server say", async (t) => {
  await using stack = new AsyncDisposableStack();
  const server = await startHttpSseServer();
  stack.defer(() => server.close());
  const { transport, close } = channelTransport(server.url);
  stack.defer(close);
  const client = await v1SaysAll(t, transport, {
    serverName: "switchyard-http-sse-fixture",
    changesLists: true,
  });
  stack.defer(() => client.close());
  const large = await client.callTool({ name: "test_large_text", arguments: {} });
  assertEquals(textOf(large as CallToolResult).length, 30 * 1024);
  await t.step("the server's end is the end of the channel", async () => {
    const over = Promise.withResolvers<void>();
    client.onclose = () => over.resolve();
    await server.close();
    await within(over.promise, "the end of the channel");
  });
});
