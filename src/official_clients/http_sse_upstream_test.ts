/**
 * Official clients, over Streamable HTTP and over HTTP+SSE, through the proxy to the v1 SDK's own server of
 * HTTP+SSE (2024-11-05).
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { startHttpSseServer } from "../../conformance/servers/http_sse.ts";
import { withProxy } from "../testing/proxy.ts";
import {
  type CallToolResult,
  EmptyResultSchema,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  type Transport,
} from "./sdk_v1.ts";
import { textOf } from "./session_client.ts";
import { FIXTURE } from "./session_targets.ts";
import { v1Client } from "./session_v1.ts";
import { within } from "./wait.ts";

/** How a client reaches the proxy's endpoint. */
const CLIENTS: Readonly<Record<string, (endpoint: string) => unknown>> = {
  "Streamable HTTP": (endpoint) => new StreamableHTTPClientTransport(new URL(endpoint)),
  "HTTP+SSE": (endpoint) => new SSEClientTransport(new URL(`${endpoint}/sse`)),
};

for (const [name, transportTo] of Object.entries(CLIENTS)) {
  for (const sessions of ["dedicated", "shared"] as const) {
    Deno.test(`v1 client over ${name}, HTTP+SSE server, ${sessions}`, async (t) => {
      const server = await startHttpSseServer();
      const upstreamConfig = { transport: "http+sse", sessions };
      try {
        await withProxy(
          { upstream: server.url, upstreamConfig },
          (proxy) => say(t, transportTo(proxy.endpoint) as Transport),
        );
      } finally {
        await server.close();
      }
    });
  }
}

async function say(t: Deno.TestContext, transport: Transport): Promise<void> {
  const { client, received, asked } = v1Client(FIXTURE.answers);
  await client.connect(transport);
  const call = async (use: typeof FIXTURE.fixed, options = {}) =>
    await client.callTool({ ...use }, undefined, options) as CallToolResult;
  await t.step("list and call", async () => {
    assertEquals(client.getServerVersion()?.name, "switchyard-http-sse-fixture");
    const { tools } = await client.listTools();
    assert(tools.some(({ name }) => name === "test_echo"));
    assertStringIncludes(textOf(await call(FIXTURE.echo("warp and weft"))), "warp and weft");
  });
  await t.step("twenty calls at once", async () => {
    const values = Array.from({ length: 20 }, (_, at) => `value-${at}.`);
    const results = await Promise.all(values.map((value) => call(FIXTURE.echo(value))));
    results.forEach((result, at) => assertStringIncludes(textOf(result), values[at]!));
  });
  await t.step("progress and log lines", async () => {
    const seen: number[] = [];
    await call(FIXTURE.progress, {
      onprogress: ({ progress }: { progress: number }) => void seen.push(progress),
    });
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
  await client.close();
}
