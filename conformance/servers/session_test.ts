import { assertEquals, assertStringIncludes } from "@std/assert";
import { startSessionServer } from "./session.ts";

const HEADERS = {
  "accept": "application/json, text/event-stream",
  "content-type": "application/json",
  "mcp-protocol-version": "2025-11-25",
};

function rpc(id: number, method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}

/** Initializes a session and returns the headers its next requests need. */
async function initialize(url: string): Promise<Record<string, string>> {
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  };
  const body = rpc(1, "initialize", params);
  const response = await fetch(url, { method: "POST", headers: HEADERS, body });
  await response.text();
  return { ...HEADERS, "mcp-session-id": response.headers.get("mcp-session-id") ?? "" };
}

Deno.test("session server: close() ends a GET stream and a call in flight", async () => {
  const server = startSessionServer();
  const headers = await initialize(server.url);
  const stream = await fetch(server.url, { headers });
  const body = rpc(2, "tools/call", { name: "test_wait", arguments: { ms: 60_000 } });
  const call = await fetch(server.url, { method: "POST", headers, body });
  await server.close();
  assertEquals(await stream.text(), "");
  assertStringIncludes(await call.text(), "retry: ");
});

Deno.test("session server: close() ends a call that waits for the client", async () => {
  const server = startSessionServer();
  const headers = await initialize(server.url);
  const body = rpc(2, "tools/call", { name: "test_elicitation", arguments: { message: "Well?" } });
  const call = await fetch(server.url, { method: "POST", headers, body });
  await server.close();
  await call.text();
});

Deno.test("session server: an unknown session is 404, a request without one is 400", async () => {
  const server = startSessionServer();
  const body = rpc(2, "tools/list", {});
  const unknown = { ...HEADERS, "mcp-session-id": "none" };
  const first = await fetch(server.url, { method: "POST", headers: unknown, body });
  const second = await fetch(server.url, { method: "POST", headers: HEADERS, body });
  await first.text();
  await second.text();
  assertEquals([first.status, second.status], [404, 400]);
  await server.close();
});

Deno.test("session server: a stream ended on purpose is resumed with Last-Event-ID", async () => {
  const server = startSessionServer();
  const headers = await initialize(server.url);
  const body = rpc(2, "tools/call", { name: "test_reconnection", arguments: {} });
  const call = await fetch(server.url, { method: "POST", headers, body });
  const lastEventId = /^id: (.+)$/m.exec(await call.text())?.[1] ?? "";
  const resumed = await fetch(server.url, {
    headers: { ...headers, "last-event-id": lastEventId },
  });
  const reader = resumed.body?.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader?.read() ?? {};
  await reader?.cancel();
  assertStringIncludes(String(value), "came back");
  await server.close();
});

Deno.test("session server: a foreign Origin is refused", async () => {
  const server = startSessionServer();
  const headers = { ...HEADERS, origin: "http://evil.example" };
  const response = await fetch(server.url, { method: "POST", headers, body: "{}" });
  await response.text();
  assertEquals(response.status, 403);
  await server.close();
});
