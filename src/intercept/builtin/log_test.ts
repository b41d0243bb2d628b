import { assert, assertEquals } from "@std/assert";
import { interceptContext } from "../../testing/intercept.ts";
import { parseMessages } from "../codec.ts";
import type { JsonRpcMessage } from "../types.ts";
import { createLog } from "./log.ts";
import { nullLogger } from "../../telemetry/mod.ts";

function parse(text: string): JsonRpcMessage {
  return parseMessages(text).messages[0]!;
}

Deno.test("R96 log: kind, method, id kind and size, and nothing of the contents", () => {
  const { clientMessage, serverMessage } = createLog({ direction: "both" });
  const context = interceptContext({ method: "tools/call" });
  const canary = '"canary"';
  const client = [
    `{"jsonrpc":"2.0","id":${canary},"method":"tools/call","params":{"name":${canary}}}`,
    `{"jsonrpc":"2.0","id":9007199254740993,"method":"canary\\n x","params":{${canary}:1}}`,
    `{"jsonrpc":"2.0","method":"notifications/x"}`,
  ];
  const server = [
    `{"jsonrpc":"2.0","id":${canary},"result":{"x":${canary}}}`,
    `{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":${canary}}}`,
  ];
  for (const text of client) clientMessage!(parse(text), context);
  for (const text of server) serverMessage!(parse(text), context);
  const facts = context.lines.map((
    { from, kind, method, id, outcome, characters },
  ) => [from, kind, method, id, outcome, characters]);
  const none = undefined;
  assertEquals(facts, [
    ["client", "request", "tools/call", "string", none, client[0]!.length],
    ["client", "request", "(odd method name)", "number", none, client[1]!.length],
    ["client", "notification", "notifications/x", none, none, client[2]!.length],
    ["server", "response", "tools/call", "string", "result", server[0]!.length],
    ["server", "response", "tools/call", "null", "error", server[1]!.length],
  ]);
  assert(!JSON.stringify(context.lines).includes("canary"));
});

Deno.test("log: one direction alone leaves the other without a hook", () => {
  const hooks = (direction: "client" | "server") => {
    const { clientMessage, serverMessage } = createLog({ direction });
    return [clientMessage !== undefined, serverMessage !== undefined];
  };
  assertEquals([hooks("client"), hooks("server")], [[true, false], [false, true]]);
});

Deno.test("log does nothing where its lines are not written", () => {
  const lines: unknown[] = [];
  const context = interceptContext({ log: (fields) => void lines.push(fields) });
  createLog({ direction: "both" }, { log: nullLogger }).serverMessage!({ method: "m" }, context);
  assertEquals(lines, []);
});
