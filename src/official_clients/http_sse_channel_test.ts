/**
 * The HTTP+SSE channel against the v1 SDK's own server of that transport: an official client speaks through
 * the channel as if it were its transport.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { startHttpSseServer } from "../../conformance/servers/http_sse.ts";
import { type Channel, httpSseChannel } from "../channel/mod.ts";
import { systemClock } from "../clock.ts";
import { Fields } from "../http/mod.ts";
import { http1Client, parseTarget } from "../upstream/mod.ts";
import { type CallToolResult, EmptyResultSchema, type Transport } from "./sdk_v1.ts";
import { textOf } from "./session_client.ts";
import { FIXTURE } from "./session_targets.ts";
import { v1Client } from "./session_v1.ts";
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
  const { client, received, asked } = v1Client(FIXTURE.answers);
  await client.connect(transport);
  stack.defer(() => client.close());
  const call = async (use: typeof FIXTURE.fixed, options = {}) =>
    await client.callTool({ ...use }, undefined, options) as CallToolResult;

  await t.step("list and call", async () => {
    assertEquals(client.getServerVersion()?.name, "switchyard-http-sse-fixture");
    const { tools } = await client.listTools();
    assert(tools.some(({ name }) => name === "test_echo"));
    assertStringIncludes(textOf(await call(FIXTURE.echo("warp and weft"))), "warp and weft");
    const large = await call({ name: "test_large_text", arguments: {} });
    assertEquals(textOf(large).length, 30 * 1024);
  });
  await t.step("twenty calls at once", async () => {
    const values = Array.from({ length: 20 }, (_, at) => `value-${at}.`);
    const results = await Promise.all(values.map((value) => call(FIXTURE.echo(value))));
    results.forEach((result, at) => assertStringIncludes(textOf(result), values[at]!));
  });
  await t.step("progress and log lines", async () => {
    const seen: number[] = [];
    const onprogress = ({ progress }: { progress: number }) => void seen.push(progress);
    await call(FIXTURE.progress, { onprogress });
    assertEquals(seen, FIXTURE.progressSteps);
    await call(FIXTURE.log);
    await received.first("a log line", ({ method }) => method === "notifications/message");
  });
  await t.step("sampling and elicitation", async () => {
    assertStringIncludes(textOf(await call(FIXTURE.sample)), FIXTURE.answers.sampled);
    assertStringIncludes(textOf(await call(FIXTURE.elicit)), "Gunta Stölzl");
    assertEquals(asked.items, ["sampling/createMessage", "elicitation/create"]);
  });
  await t.step("list changes", async () => {
    await call({ name: "test_change_tools", arguments: {} });
    const changed = "notifications/tools/list_changed";
    await received.first("the change", ({ method }) => method === changed);
  });
  await t.step("cancellation and errors", async () => {
    const abort = new AbortController();
    const slow = call(FIXTURE.slow, { signal: abort.signal });
    await client.ping();
    abort.abort("changed my mind");
    await assertRejects(() => within(slow, "the end of the aborted call"));
    await client.ping();
    await assertRejects(() => client.request({ method: "test/unknown" }, EmptyResultSchema));
  });
  await t.step("the server's end is the end of the channel", async () => {
    const over = Promise.withResolvers<void>();
    client.onclose = () => over.resolve();
    await server.close();
    await within(over.promise, "the end of the channel");
  });
});
