import { assertEquals, assertStringIncludes } from "@std/assert";
import { startModernServer } from "./modern.ts";

/** Sends one 2026-07-28 request. */
function send(url: string, method: string, params: Record<string, unknown>): Promise<Response> {
  const name = params["name"];
  return fetch(url, {
    method: "POST",
    headers: {
      "accept": "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(typeof name === "string" && { "mcp-name": name }),
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method,
      params: {
        ...params,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    }),
  });
}

Deno.test("modern server: close() ends a subscription", async () => {
  const server = startModernServer();
  const stream = await send(server.url, "subscriptions/listen", {
    notifications: { toolsListChanged: true },
  });
  const call = await send(server.url, "tools/call", {
    name: "test_trigger_tool_change",
    arguments: {},
  });
  await call.text();
  await server.close();
  assertStringIncludes(await stream.text(), "notifications/tools/list_changed");
});

Deno.test("modern server: close() ends a call in flight", async () => {
  const server = startModernServer();
  const call = send(server.url, "tools/call", { name: "test_wait", arguments: { ms: 60_000 } });
  const listed = await send(server.url, "tools/list", {});
  await listed.text();
  await server.close();
  await call.then((response) => response.text()).catch(() => "cut off");
});

Deno.test("modern server: a call whose capability is not declared is 400 and -32021", async () => {
  const server = startModernServer();
  const call = await send(server.url, "tools/call", {
    name: "test_missing_capability",
    arguments: {},
  });
  assertEquals(call.status, 400);
  assertStringIncludes(await call.text(), "-32021");
  await server.close();
});
