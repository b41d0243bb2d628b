/**
 * The official v2 client, pinned to 2026-07-28, over Streamable HTTP to the v2 SDK's own server on stdio.
 *
 * Source: 2026-07-28 basic/transports/stdio.
 *
 * @module
 */

import { LOG_LEVEL_META_KEY } from "@modelcontextprotocol/client";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import * as processes from "../testing/processes.ts";
import { testProxy } from "../testing/proxy.ts";
import { connectModern, type ModernClient, type ModernOptions } from "./modern_case.ts";
import { outcome, textOf } from "./session_client.ts";
import { within } from "./wait.ts";

/** What a case works with. */
interface Setup {
  /** The processes of the server that run. */
  readonly running: () => number[];
  connect(options?: ModernOptions): Promise<ModernClient>;
}

async function withStdio(
  sessions: "dedicated" | "shared",
  test: (setup: Setup) => Promise<void>,
  stdio = processes.stdioModern(),
): Promise<void> {
  const name = "SWITCHYARD_TEST_MARK";
  const value = crypto.randomUUID();
  const running = () => processes.marked(`${name}=${value}`);
  {
    await using stack = new AsyncDisposableStack();
    const proxy = await testProxy({
      upstreamConfig: {
        sessions,
        stdio: { ...stdio, env: { ...stdio.env, [name]: value }, closeMs: 200 },
      },
    });
    stack.defer(async () => void await proxy.stop());
    await test({
      running,
      connect: async (options) => {
        const connected = await connectModern(proxy.endpoint, options);
        stack.defer(() => connected.client.close());
        return connected;
      },
    });
  }
  await processes.noneLeft(running);
}

for (const sessions of ["dedicated", "shared"] as const) {
  Deno.test(`v2 client, modern server on stdio, ${sessions}`, (t) =>
    withStdio(sessions, async ({ connect, running }) => {
      const { client, received } = await connect({ answers: { elicited: { name: "Anni" } } });
      const other = await connect();
      await t.step("discovery, lists, and one process for all", async () => {
        assertEquals(client.getProtocolEra(), "modern");
        assertEquals(client.getServerVersion()?.name, "switchyard-modern-fixture");
        assertEquals((await other.client.listTools()).tools, (await client.listTools()).tools);
        assertEquals(running().length, 1);
      });
      await t.step("many calls of two clients with equal ids do not mix", async () => {
        const calls = [client, other.client].flatMap((one, which) =>
          Array.from({ length: 25 }, async (_, at) => {
            const value = `client ${which}, call ${at}.`;
            const result = await one.callTool({ name: "test_echo", arguments: { value } });
            assertStringIncludes(textOf(result), value);
          })
        );
        await Promise.all(calls);
      });
      await t.step("progress, log lines, input, errors", async () => {
        const seen: number[][] = [[], []];
        await Promise.all(
          [client, other.client].map((one, which) =>
            one.callTool({ name: "test_tool_with_progress" }, {
              onprogress: ({ progress }) => seen[which]!.push(progress),
            })
          ),
        );
        assertEquals(seen, [[0, 50, 100], [0, 50, 100]]);
        const _meta = { [LOG_LEVEL_META_KEY]: "info" };
        await client.callTool({ name: "test_logging_tool", _meta });
        assertEquals(received.items.map(({ params }) => params?.["data"]), ["one line"]);
        const name = "test_input_required_result_elicitation";
        assertEquals(textOf(await client.callTool({ name })), "Good day, Anni.");
        const unknown = client.request({ method: "test/unknown" }, z.looseObject({}));
        assertStringIncludes((await outcome(unknown) as { error: string }).error, '"code":-32601');
      });
      await t.step("an aborted call ends at the server", async () => {
        const abort = new AbortController();
        const args = { ms: 60_000 };
        const calling = client.callTool({ name: "test_wait", arguments: args }, {
          signal: abort.signal,
        });
        const rejected = assertRejects(() => calling);
        await client.callTool({ name: "test_echo", arguments: {} });
        abort.abort();
        await within(rejected, "the end of the aborted call");
        await client.callTool({ name: "test_echo", arguments: {} });
      });
      await t.step("subscriptions get what they asked for, and end", async () => {
        const mine = await client.listen({ toolsListChanged: true });
        const theirs = await other.client.listen({
          resourceSubscriptions: ["test://watched-resource"],
        });
        await client.callTool({ name: "test_trigger_tool_change" });
        await client.callTool({ name: "test_touch_watched_resource" });
        await received.first("the tools' change", ({ method }) => method.includes("tools"));
        await other.received.first("the update", ({ method }) => method.includes("resources"));
        assertEquals(other.received.items.length, 1);
        await mine.close();
        await theirs.close();
      });
      await t.step("a process that was killed is started anew", async () => {
        const [pid] = running();
        const args = { ms: 60_000 };
        const failed = assertRejects(() => client.callTool({ name: "test_wait", arguments: args }));
        await client.callTool({ name: "test_echo", arguments: {} });
        Deno.kill(pid!, "SIGKILL");
        await within(failed, "the failure of the call");
        await client.callTool({ name: "test_echo", arguments: {} });
        const [anew] = running();
        assert(anew !== undefined && anew !== pid);
      });
    }));
}

Deno.test("v2 client, legacy server on stdio: a client that probes finds 2026-07-28, and one process serves all where sessions are shared", () =>
  withStdio("shared", async ({ connect, running }) => {
    const { client } = await connect({ mode: "auto" });
    assertEquals(client.getProtocolEra(), "modern");
    await client.listTools();
    await client.listTools();
    // That which was asked what it speaks has ended.
    await processes.noneLeft(() => running().slice(1));
    assertEquals(running().length, 1);
  }, processes.stdioReference()));
