import { assertEquals } from "@std/assert";
import { MockUpstream, modernServer } from "./mod.ts";

Deno.test("2026-07-28 basic/index _meta: the mock of a modern server refuses a request without the revision, and takes a notification", async () => {
  await using mock = await MockUpstream.listen();
  mock.use(modernServer());
  const told = async (message: Record<string, unknown>) => {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    const answer = await fetch(`http://${mock.host}/mcp`, { method: "POST", body });
    const text = await answer.text();
    return [answer.status, text === "" ? undefined : JSON.parse(text).error?.code];
  };
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
  assertEquals(await told({ id: 1, method: "initialize", params: {} }), [400, -32602]);
  assertEquals(await told({ id: 2, method: "tools/list" }), [400, -32602]);
  assertEquals(await told({ id: 3, method: "tools/list", params: { _meta } }), [200, undefined]);
  assertEquals(await told({ method: "notifications/cancelled", params: {} }), [202, undefined]);
});
