/**
 * Official clients that launch the proxy as a program, `main.ts stdio --upstream URL`, and speak to it on
 * stdin and stdout: the v1 client with servers of the session era, the v2 client with one of 2026-07-28.
 *
 * @module
 */

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { startHttpSseServer } from "../../conformance/servers/http_sse.ts";
import { startModernServer } from "../../conformance/servers/modern.ts";
import { startSessionServer } from "../../conformance/servers/session.ts";
import * as processes from "../testing/processes.ts";
import { PROJECT } from "../testing/program.ts";
import { REVISION } from "./modern_case.ts";
import { startRelay } from "./relay.ts";
import { StdioClientTransport, type Transport } from "./sdk_v1.ts";
import { textOf } from "./session_client.ts";
import { FIXTURE } from "./session_targets.ts";
import { v1Client } from "./session_v1.ts";
import { v1SaysAll } from "./v1_says_all.ts";
import { answerWith, collectNotifications } from "./v2_client.ts";
import { within } from "./wait.ts";

/** How the proxy is launched, with these flags. */
function launch(...flags: readonly string[]) {
  return {
    command: Deno.execPath(),
    args: ["run", "-P", "--frozen", "main.ts", "stdio", ...flags],
    cwd: new URL(".", PROJECT).pathname,
    env: processes.packageEnv(),
    stderr: "inherit" as const,
  };
}

/** Ends the program with a signal: the SDKs' own way of closing leaves a timer behind. */
async function end(
  client: { onclose?: (() => void) | undefined; close(): Promise<void> },
  { pid }: { readonly pid: number | null },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  client.onclose = resolve;
  Deno.kill(pid!, "SIGTERM");
  await within(promise, "the end of the program");
  await client.close();
}

/** A class of its own, because for the SDK's own the client starts a second program to find out the era. */
class ProbesInPlace extends StdioV2 {}

async function sayAll(t: Deno.TestContext, flags: readonly string[]): Promise<void> {
  const transport = new StdioClientTransport(launch(...flags));
  const client = await v1SaysAll(t, transport as Transport);
  await end(client, transport);
}

Deno.test("v1 client over stdio, session server", async (t) => {
  const server = startSessionServer();
  await using relay = await startRelay(server.url);
  await sayAll(t, ["--upstream", relay.url, "--header", "X-Test: ${HOME}"]);
  const last = relay.arrived.items.at(-1)!;
  assertEquals([last.method, last.headers.get("x-test")], ["DELETE", Deno.env.get("HOME")]);
  const opened = relay.arrived.items.filter(({ message }) => message?.method === "initialize");
  assertEquals(opened.length, 1);
  await server.close();
});

Deno.test("v1 client over stdio, HTTP+SSE server", async (t) => {
  const server = await startHttpSseServer();
  await sayAll(t, ["--upstream", server.url, "--transport", "http+sse"]);
  await server.close();
});

Deno.test("v1 client over stdio, session server: what the server says by itself", async () => {
  const server = startSessionServer();
  await using relay = await startRelay(server.url);
  const { client, received } = v1Client(FIXTURE.answers);
  const transport = new StdioClientTransport(launch("--upstream", relay.url));
  await client.connect(transport as Transport);
  await relay.exchanges.first("the GET stream", ({ method }) => method === "GET");
  await client.subscribeResource({ uri: FIXTURE.watched });
  await client.callTool({ ...FIXTURE.touch });
  await received.first("an update", ({ method }) => method === "notifications/resources/updated");
  await client.callTool({ ...FIXTURE.changeLists });
  for (const change of FIXTURE.listChanges) {
    await received.first(change, ({ method }) => method === change);
  }
  await end(client, transport);
  await server.close();
});

Deno.test("v2 client over stdio, modern server", async (t) => {
  const server = startModernServer();
  await using relay = await startRelay(server.url);
  const client = new Client({ name: "official-v2", version: "1" }, {
    capabilities: { elicitation: {} },
    versionNegotiation: { mode: { pin: REVISION } },
  });
  const received = collectNotifications(client);
  answerWith(client, { elicited: { name: "Anni" } });
  const transport = new ProbesInPlace(launch("--upstream", relay.url));
  await client.connect(transport);
  await t.step("list, call, progress", async () => {
    const { tools } = await client.listTools();
    assert(tools.length > 0);
    const value = "warp and weft";
    const echoed = await client.callTool({ name: "test_echo", arguments: { value } });
    assertStringIncludes(textOf(echoed), value);
    const seen: number[] = [];
    await client.callTool({ name: "test_tool_with_progress" }, {
      onprogress: ({ progress }) => seen.push(progress),
    });
    assertEquals(seen, [0, 50, 100]);
  });
  await t.step("an argument with x-mcp-header stands in its field", async () => {
    const args = { region: "eu-west", level: 3 };
    const result = await client.callTool({ name: "test_x_mcp_header", arguments: args });
    assertEquals(textOf(result), "Region eu-west.");
  });
  await t.step("input is asked for in a second round", async () => {
    const name = "test_input_required_result_elicitation";
    assertEquals(textOf(await client.callTool({ name })), "Good day, Anni.");
  });
  await t.step("a cancelled call ends at the server, and is not posted", async () => {
    const abort = new AbortController();
    const options = { signal: abort.signal };
    const slow = client.callTool({ name: "test_wait", arguments: { ms: 60_000 } }, options);
    const rejected = assertRejects(() => slow);
    const waits = ({ message }: { message: { params?: Record<string, unknown> } | undefined }) =>
      message?.params?.["name"] === "test_wait";
    await relay.arrived.first("the call", waits);
    abort.abort();
    await rejected;
    await relay.abandoned.first("the end of the call at the server", waits);
    const methods = relay.arrived.items.map(({ message }) => message?.method);
    assert(!methods.includes("notifications/cancelled"));
  });
  await t.step("a subscription stays open until it is closed", async () => {
    const uri = "test://watched-resource";
    const subscription = await client.listen({ resourceSubscriptions: [uri] });
    await client.callTool({ name: "test_touch_watched_resource" });
    await received.first(
      "the update",
      ({ method }) => method === "notifications/resources/updated",
    );
    await subscription.close();
    const listens = ({ message }: { message: { method?: string } | undefined }) =>
      message?.method === "subscriptions/listen";
    await relay.abandoned.first("the end of the subscription at the server", listens);
  });
  await end(client, transport);
  await server.close();
});

Deno.test("v2 client over stdio, session server: a client that probes finds 2026-07-28", async () => {
  const server = startSessionServer();
  const client = new Client({ name: "official-v2", version: "1" }, {
    versionNegotiation: { mode: "auto" },
  });
  const transport = new ProbesInPlace(launch("--upstream", server.url));
  await client.connect(transport);
  assertEquals(client.getProtocolEra(), "modern");
  await client.listTools();
  await end(client, transport);
  await server.close();
});
