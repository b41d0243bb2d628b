import { assertEquals } from "@std/assert";
import * as modern from "../../testing/as_modern.ts";

const { ModernSetup } = modern;

function tool(name: string, execution?: unknown): Record<string, unknown> {
  return { name, inputSchema: { type: "object" }, execution };
}

/** A server with these tools, and what a client is told of them. */
async function listed(tools: unknown): Promise<{ tools: unknown; text: string }> {
  const setup = new ModernSetup();
  const { server } = setup;
  server.script = ({ message: { method, id } }) =>
    method === "tools/list"
      ? server.json({ jsonrpc: "2.0", id, result: { tools, nextCursor: "c" } })
      : undefined;
  const { message, text } = await setup.ask("tools/list");
  assertEquals([message.result!.nextCursor, message.result!.ttlMs], ["c", 0]);
  await setup.close();
  return { tools: message.result!.tools, text };
}

Deno.test("tools that must be called as tasks are left out, and no other says how it is run (2026-07-28 schema, Tool; changelog 6)", async () => {
  const tools = [
    tool("a", { taskSupport: "required" }),
    tool("b", { taskSupport: "optional" }),
    tool("c", {}),
    tool("d"),
    tool("e", { taskSupport: "required", other: 1 }),
    tool("f", "odd"),
  ];
  const plain = ["b", "c", "d", "f"].map((name) => ({ name, inputSchema: { type: "object" } }));
  assertEquals((await listed(tools)).tools, plain);
  assertEquals((await listed([tool("a", { taskSupport: "required" })])).tools, []);
});

Deno.test("a list of tools of which none says how it is run stays as it was written", async () => {
  const one = { name: "a", inputSchema: { type: "object", properties: { execution: {} } } };
  const { tools, text } = await listed([one, 1, null]);
  assertEquals(tools, [one, 1, null]);
  assertEquals(text.includes(JSON.stringify([one, 1, null])), true);
  assertEquals((await listed("none")).tools, "none");
});

Deno.test("-32601 from a tools/call of a server with tools is an error of the call, and no missing method (2025-11-25 basic/utilities/tasks, Tool-Level Negotiation)", async () => {
  const error = { code: -32601, message: "Tool long requires task augmentation" };
  const cases = [
    ["tools/call", { tools: {} }, 200, 200],
    ["tools/call", { tools: {} }, 400, 200],
    // 2026-07-28 basic/transports/streamable-http, "Protocol Version Header": what it does not implement.
    ["tools/call", { prompts: {} }, 200, 404],
    ["prompts/get", { tools: {}, prompts: {} }, 200, 404],
  ] as const;
  for (const [method, capabilities, sent, told] of cases) {
    const setup = new ModernSetup();
    const { server } = setup;
    server.capabilities = capabilities;
    server.script = (call) =>
      call.message.method === method
        ? server.json({ jsonrpc: "2.0", id: call.message.id, error }, sent)
        : undefined;
    const { status, message } = await setup.ask(method, { name: "long" });
    assertEquals([status, message.id, message.error], [told, 7, error], `${method} ${sent}`);
    await setup.close();
  }
});
