/**
 * The official v2 client, pinned to 2026-07-28, through the proxy to the modern server: discovery,
 * requests, errors and cancellation.
 *
 * Source: 2026-07-28 basic/versioning, basic/transports, basic/utilities, server.
 *
 * @module
 */

import { LOG_LEVEL_META_KEY } from "@modelcontextprotocol/client";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { startSessionServer } from "../../conformance/servers/session.ts";
import { withProxy } from "../testing/proxy.ts";
import {
  connectModern,
  type ModernClient,
  type ModernSetup,
  REVISION,
  withModern,
} from "./modern_case.ts";
import type { Arrival } from "./relay.ts";
import { outcome, textOf } from "./session_client.ts";
import { within } from "./wait.ts";

const CONCURRENT_CALLS = 50;

async function sameAsDirect<T>(
  { connect, direct }: ModernSetup,
  ask: (connected: ModernClient) => T | Promise<T>,
): Promise<T> {
  const expected = await ask(await direct());
  const actual = await ask(await connect());
  assertEquals(actual, expected);
  return actual;
}

function unknownMethod({ client }: ModernClient): Promise<unknown> {
  return client.request({ method: "test/unknown" }, z.looseObject({}));
}

Deno.test("v2 client, modern server: server/discover tells the server's own capabilities", () =>
  withModern(async (setup) => {
    const { era, capabilities } = await sameAsDirect(setup, ({ client }) => ({
      era: client.getProtocolEra(),
      revision: client.getNegotiatedProtocolVersion(),
      info: client.getServerVersion(),
      capabilities: client.getServerCapabilities(),
      instructions: client.getInstructions(),
      discovered: client.getDiscoverResult(),
    }));
    assertEquals(era, "modern");
    assertEquals(capabilities?.resources, { subscribe: true, listChanged: true });
  }));

Deno.test("v2 client, modern server: a client that probes finds the modern era", () =>
  withModern(async ({ connect, relay }) => {
    const { client } = await connect({ mode: "auto" });
    assertEquals(client.getProtocolEra(), "modern");
    assertEquals(client.getNegotiatedProtocolVersion(), REVISION);
    assertEquals(relay.arrived.items.map(({ message }) => message?.method), ["server/discover"]);
  }));

Deno.test("v2 client, modern server: a client of the session era is refused as directly where nothing is translated", () =>
  withModern(async ({ connect, direct }) => {
    const refused = await outcome(connect({ mode: "legacy" }));
    assertEquals(refused, await outcome(direct({ mode: "legacy" })));
    assert(!("result" in (refused as object)));
  }, { era: "both" }));

Deno.test("v2 client, session server: one that probes, and one that is pinned, find 2026-07-28", async () => {
  const server = startSessionServer();
  try {
    await withProxy({ upstream: server.url }, async ({ endpoint }) => {
      for (const mode of ["auto", { pin: REVISION }] as const) {
        const { client } = await connectModern(endpoint, { mode });
        assertEquals(client.getProtocolEra(), "modern");
        await client.listTools();
        await client.close();
      }
    });
  } finally {
    await server.close();
  }
});

Deno.test("v2 client, session server: where nothing is translated all is as directly", async () => {
  const server = startSessionServer();
  const upstreamConfig = { era: "both" };
  try {
    await withProxy({ upstream: server.url, upstreamConfig }, async ({ endpoint }) => {
      const { client } = await connectModern(endpoint, { mode: "auto" });
      assertEquals(client.getProtocolEra(), "legacy");
      await client.close();
      const refused = await outcome(connectModern(endpoint)) as { code: unknown };
      assertEquals(refused, await outcome(connectModern(server.url)));
      assertEquals(refused.code, "ERA_NEGOTIATION_FAILED");
    });
  } finally {
    await server.close();
  }
});

Deno.test("v2 client, modern server: lists are as the server itself gives them", () =>
  withModern(async (setup) => {
    await sameAsDirect(setup, async ({ client }) => [
      await client.listTools(),
      await client.listPrompts(),
      await client.listResources(),
      await client.listResourceTemplates(),
    ]);
  }));

Deno.test("v2 client, modern server: calls, prompts, resources and completions are as directly", () =>
  withModern(async (setup) => {
    await sameAsDirect(setup, async ({ client }) => [
      await client.callTool({ name: "test_multiple_content_types" }),
      await client.callTool({ name: "test_error_handling" }),
      await client.getPrompt({
        name: "test_prompt_with_arguments",
        arguments: { arg1: "warp", arg2: "weft" },
      }),
      await client.readResource({ uri: "test://static-binary" }),
      await client.readResource({ uri: "test://template/7/data" }),
      await client.complete({
        ref: { type: "ref/prompt", name: "test_prompt_with_arguments" },
        argument: { name: "arg1", value: "pa" },
      }),
    ]);
  }));

Deno.test("v2 client, modern server: progress reaches onprogress in order", () =>
  withModern(async ({ connect }) => {
    const { client } = await connect();
    const seen: number[] = [];
    await client.callTool({ name: "test_tool_with_progress" }, {
      onprogress: ({ progress }) => seen.push(progress),
    });
    assertEquals(seen, [0, 50, 100]);
  }));

Deno.test("v2 client, modern server: a request that names a log level gets its log lines", () =>
  withModern(async ({ connect }) => {
    const { client, received } = await connect();
    const name = "test_logging_tool";
    await client.callTool({ name });
    assertEquals(received.items, []);
    await client.callTool({ name, _meta: { [LOG_LEVEL_META_KEY]: "info" } });
    assertEquals(received.items.map(({ method, params }) => [method, params?.["data"]]), [
      ["notifications/message", "one line"],
    ]);
  }));

Deno.test("v2 client, modern server: an unknown tool, prompt, resource and method fail as directly", () =>
  withModern(async (setup) => {
    const outcomes = await sameAsDirect(setup, (connected) =>
      Promise.all([
        outcome(connected.client.callTool({ name: "no-such-tool" })),
        outcome(connected.client.getPrompt({ name: "no-such-prompt" })),
        outcome(connected.client.readResource({ uri: "test://no-such-resource" })),
        outcome(unknownMethod(connected)),
      ]));
    const failures = outcomes as { code?: unknown; error: string }[];
    assertEquals(failures.slice(0, 3).map(({ code }) => code), [-32602, -32602, -32602]);
    // Of a 404 the client shows the body, but takes no code from it.
    assertStringIncludes(failures[3]!.error, '"code":-32601');
  }));

Deno.test("v2 client, modern server: a call for a capability not declared fails with -32021", () =>
  withModern(async (setup) => {
    const { code } = await sameAsDirect(
      setup,
      ({ client }) => outcome(client.callTool({ name: "test_missing_capability" })),
    ) as { code: unknown };
    assertEquals(code, -32021);
  }));

Deno.test("v2 client, modern server: an argument with x-mcp-header arrives in its header too", () =>
  withModern(async ({ connect, relay }) => {
    const { client } = await connect();
    await client.listTools();
    const result = await client.callTool({
      name: "test_x_mcp_header",
      arguments: { region: "eu-west", level: 3 },
    });
    assertEquals(textOf(result), "Region eu-west.");
    const call = relay.arrived.items.find(({ message }) => message?.method === "tools/call");
    assertEquals(call?.headers.get("mcp-param-region"), "eu-west");
    assertEquals(call?.headers.get("mcp-method"), "tools/call");
    assertEquals(call?.headers.get("mcp-name"), "test_x_mcp_header");
    assertEquals(call?.headers.get("mcp-protocol-version"), REVISION);
  }));

const isCall = ({ message }: Arrival) => message?.method === "tools/call";

/** Aborts a call once it is under way and waits until the server's stream is closed (no message). */
async function abortCall(
  { connect, relay }: ModernSetup,
  params: { name: string; arguments?: Record<string, unknown> },
  underWay: "arrived" | "progress",
): Promise<void> {
  const { client } = await connect();
  const abort = new AbortController();
  const progress = Promise.withResolvers<void>();
  const options = { signal: abort.signal, onprogress: () => progress.resolve() };
  const rejected = assertRejects(() => client.callTool(params, options));
  await relay.arrived.first("the call's arrival at the server", isCall);
  if (underWay === "progress") await within(progress.promise, "the call's first progress");
  assertEquals(relay.abandoned.items, []);
  abort.abort();
  await within(rejected, "the end of the aborted call");
  await relay.abandoned.first("the end of the server's stream", isCall);
  const methods = relay.arrived.items.map(({ message }) => message?.method);
  assert(!methods.includes("notifications/cancelled"));
}

Deno.test("v2 client, modern server: an aborted call closes the server's stream", () =>
  withModern(async (setup) => {
    setup.relay.holdBack("tools/call");
    await abortCall(setup, { name: "test_tool_with_progress" }, "progress");
  }));

Deno.test("R54 v2 client, modern server: a call aborted before its answer begins ends at the server", () =>
  withModern(async (setup) => {
    await abortCall(setup, { name: "test_wait", arguments: { ms: 60_000 } }, "arrived");
  }));

Deno.test("v2 client, modern server: many calls of two clients with equal ids do not mix", () =>
  withModern(async ({ connect }) => {
    const clients = [await connect(), await connect()];
    const calls = clients.flatMap(({ client }, which) =>
      Array.from({ length: CONCURRENT_CALLS }, async (_, at) => {
        const value = `client ${which}, call ${at}.`;
        const result = await client.callTool({ name: "test_echo", arguments: { value } });
        assertStringIncludes(textOf(result), value);
      })
    );
    await Promise.all(calls);
    const [one, two] = clients.map(({ watch }) => watch.ids);
    assertEquals(one, two);
  }));
