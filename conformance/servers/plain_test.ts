import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type PlainOptions, startPlainServer } from "./plain.ts";

const HEADERS = {
  "accept": "application/json, text/event-stream",
  "content-type": "application/json",
};

/** Initialises at a plain server and gives what was answered. */
async function initialize(options: PlainOptions): Promise<{ response: Response; text: string }> {
  const server = startPlainServer(options);
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  const response = await fetch(server.url, { method: "POST", headers: HEADERS, body });
  const text = await response.text();
  await server.close();
  return { response, text };
}

Deno.test("plain server: events without ids, in a session", async () => {
  const { response, text } = await initialize({});
  assert(response.headers.has("mcp-session-id"));
  assertStringIncludes(text, "event: message\ndata: {");
});

Deno.test("plain server: JSON alone", async () => {
  const { response } = await initialize({ json: true });
  assertEquals(response.headers.get("content-type"), "application/json");
});

Deno.test("plain server: lines end with CRLF", async () => {
  const { text } = await initialize({ crlf: true });
  assertStringIncludes(text, "event: message\r\ndata: {");
  assert(!/[^\r]\n/.test(text));
});

Deno.test("plain server: no sessions, and GET is refused", async () => {
  const { response } = await initialize({ stateless: true });
  assert(!response.headers.has("mcp-session-id"));
  const server = startPlainServer({ stateless: true });
  const get = await fetch(server.url, { headers: { accept: "text/event-stream" } });
  await get.text();
  assertEquals([get.status, get.headers.get("allow")], [405, "POST"]);
  await server.close();
});
