import { assert, assertEquals } from "@std/assert";
import { startDualServer } from "./dual.ts";

const HEADERS = {
  "accept": "application/json, text/event-stream",
  "content-type": "application/json",
};
const PREFIX = "io.modelcontextprotocol/";

async function post(
  url: string,
  headers: Record<string, string>,
  method: string,
  params: Record<string, unknown>,
): Promise<{ response: Response; text: string }> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const response = await fetch(url, { method: "POST", headers: { ...HEADERS, ...headers }, body });
  return { response, text: await response.text() };
}

Deno.test("dual server: initialize begins a session, and its list of resources has two pages", async () => {
  const server = startDualServer();
  const clientInfo = { name: "test", version: "1" };
  const revision = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const { response } = await post(server.url, {}, "initialize", revision);
  const session = { "mcp-session-id": response.headers.get("mcp-session-id") ?? "" };
  const first = await post(server.url, session, "resources/list", {});
  const second = await post(server.url, session, "resources/list", { cursor: "2" });
  const third = await post(server.url, session, "resources/list", { cursor: "4" });
  assert(first.text.includes('"nextCursor":"2"') && !first.text.includes("test://watched"));
  assert(second.text.includes("test://watched") && !second.text.includes("nextCursor"));
  assert(third.text.includes("-32602"));
  await server.close();
});

Deno.test("dual server: what carries the metadata of 2026-07-28 needs no session", async () => {
  const server = startDualServer();
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "server/discover" };
  const _meta = { [`${PREFIX}protocolVersion`]: "2026-07-28", [`${PREFIX}clientCapabilities`]: {} };
  const { response, text } = await post(server.url, headers, "server/discover", { _meta });
  assertEquals([response.status, response.headers.get("mcp-session-id")], [200, null]);
  assert(text.includes('"supportedVersions"'));
  await server.close();
});
