import { assert, assertEquals } from "@std/assert";
import { builtinUnderTest } from "../../testing/builtin.ts";

function call(args: object) {
  return { id: 1, method: "tools/call", params: { name: "t", arguments: args } };
}

Deno.test("record: a line of JSON for each message, which passes unchanged", async () => {
  const { client, server, lines, pipeline } = builtinUnderTest("record", { file: "f" });
  assertEquals(client(call({ a: 1 })), "same");
  assertEquals(server({ id: 1, result: {} }, { method: "tools/call" }), "same");
  assertEquals(lines.map((line) => JSON.parse(line)), [
    {
      time: "2026-01-01T00:00:00.000Z",
      route: "r",
      era: "session",
      from: "client",
      kind: "request",
      method: "tools/call",
      message: { jsonrpc: "2.0", ...call({ a: 1 }) },
    },
    {
      time: "2026-01-01T00:00:00.000Z",
      route: "r",
      era: "session",
      from: "server",
      kind: "response",
      method: "tools/call",
      message: { jsonrpc: "2.0", id: 1, result: {} },
    },
  ]);
  await pipeline.close();
  assertEquals(lines[2], "(closed)");
});

Deno.test("record: secrets do not reach the file", () => {
  const { client, lines } = builtinUnderTest("record", {
    file: "f",
    redactKeys: ["pin"],
    redactPatterns: ["\\bcanary\\d\\b"],
  });
  client(call({
    password: "canary",
    apiKey: "canary",
    Authorization: "canary",
    pin: ["canary"],
    header: "Authorization: Bearer canary-canary",
    jwt: "x eyJjYW5hcnkxMjM.eyJjYW5hcnkxMjM.canary-9 y",
    json: '{"password": "can\\"ary canary"}',
    own: "canary1",
    key: `the key sy_${"canary-".repeat(6)}x.`,
  }));
  assertEquals(lines.length, 1);
  assert(!lines[0]!.includes("canary") && !lines[0]!.includes("eyJ"), lines[0]);
});

Deno.test("record: a long message is told by its length, and the whole has an end", () => {
  const { client, lines, log } = builtinUnderTest("record", {
    file: "f",
    maxMessageCharacters: 100,
    maxTotalCharacters: 400,
  });
  client(call({ text: "x".repeat(1000) }));
  const { message, characters } = JSON.parse(lines[0]!);
  assertEquals([message, characters > 1000], [undefined, true]);
  for (let n = 0; n < 10; n++) assertEquals(client(call({})), "same");
  assert(lines.length < 10 && lines.join("\n").length <= 400);
  assertEquals(log.lines.length, 1);
});
