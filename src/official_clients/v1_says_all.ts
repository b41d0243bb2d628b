/**
 * What the official v1 client says to a fixture server of sessions on any way there: each kind of message once.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type CallToolResult, EmptyResultSchema, type Transport } from "./sdk_v1.ts";
import { textOf } from "./session_client.ts";
import { FIXTURE } from "./session_targets.ts";
import { v1Client } from "./session_v1.ts";
import { within } from "./wait.ts";

/** What differs by the server. */
export interface Expected {
  /** The name that the server gives itself; left out where that is not looked at. */
  readonly serverName?: string;
  /** Whether it has a tool that changes its list. */
  readonly changesLists?: boolean;
}

type Use = typeof FIXTURE.fixed;
type Call = (use: Use, options?: object) => Promise<CallToolResult>;
type V1Client = ReturnType<typeof v1Client>;

/** Connects a client over `transport`, says all in steps of the test, and gives the client back, still connected. */
export async function v1SaysAll(
  t: Deno.TestContext,
  transport: Transport,
  { serverName, changesLists = false }: Expected = {},
): Promise<V1Client["client"]> {
  const { client, received, asked } = v1Client(FIXTURE.answers);
  await client.connect(transport);
  const call: Call = async (use, options = {}) =>
    await client.callTool({ ...use }, undefined, options) as CallToolResult;
  await t.step("list and call", async () => {
    if (serverName !== undefined) assertEquals(client.getServerVersion()?.name, serverName);
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
  if (changesLists) {
    await t.step("list changes", async () => {
      await call({ name: "test_change_tools", arguments: {} });
      const changed = "notifications/tools/list_changed";
      await received.first("the change", ({ method }) => method === changed);
    });
  }
  await t.step("cancellation and errors", () => cancelAndFail(client, call));
  return client;
}

async function cancelAndFail(client: V1Client["client"], call: Call): Promise<void> {
  const abort = new AbortController();
  const slow = call(FIXTURE.slow, { signal: abort.signal });
  await client.ping();
  abort.abort("changed my mind");
  await assertRejects(() => within(slow, "the end of the aborted call"));
  await client.ping();
  await assertRejects(() => client.request({ method: "test/unknown" }, EmptyResultSchema));
}
