import { assertEquals } from "@std/assert";
import { Fields } from "../../http/mod.ts";
import { ModernFake } from "../../testing/bridge.ts";
import { textOf } from "../../testing/share.ts";

const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** `_meta` as the bridge writes it, for a client without capabilities. */
const META_TEXT = JSON.stringify(META).slice(1, -1);

Deno.test("basic/index _meta: the reserved keys are put in, and every other byte stays (R24)", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const cases: [sent: string, received: string][] = [
    [
      ' {"jsonrpc":"2.0", "id" : 7.0,"method":"x/y","params":{ "_meta" : {"progressToken":1.50, "a":1} ,"n":1e2}}',
      ` {"jsonrpc":"2.0", "id" : 7.0,"method":"x/y","params":{ "_meta" : {${META_TEXT},"progressToken":1.50, "a":1} ,"n":1e2}}`,
    ],
    [
      '{"jsonrpc":"2.0","id":8,"method":"x/y","params":{}}',
      `{"jsonrpc":"2.0","id":8,"method":"x/y","params":{"_meta":{${META_TEXT}}}}`,
    ],
    [
      '{"jsonrpc":"2.0","id":"9","method":"x/y"}',
      `{"params":{"_meta":{${META_TEXT}}},"jsonrpc":"2.0","id":"9","method":"x/y"}`,
    ],
    [
      '{"jsonrpc":"2.0","id":10,"method":"x/y","params":{"_meta":{"io.modelcontextprotocol/logLevel":"debug", "b":2},"z":1}}',
      `{"jsonrpc":"2.0","id":10,"method":"x/y","params":{"_meta":{${META_TEXT}, "b":2},"z":1}}`,
    ],
    [
      '{"jsonrpc":"2.0","id":11,"method":"x/y","params":{"_meta":7,"z":1}}',
      `{"jsonrpc":"2.0","id":11,"method":"x/y","params":{"_meta":{${META_TEXT}},"z":1}}`,
    ],
  ];
  for (const [sent, received] of cases) {
    await client.ask(sent);
    const got = fake.of("x/y").at(-1)!.text;
    assertEquals(JSON.parse(got), JSON.parse(received));
    assertEquals(got, received);
  }
  await fake.bridge.close();
});

Deno.test("client capabilities go up as declared, so far as the revision has them", async () => {
  const declared = {
    roots: { listChanged: true },
    sampling: { tools: {} },
    elicitation: { form: {}, url: {} },
    tasks: {},
    experimental: { x: { n: 1 } },
  };
  const expected: Record<string, unknown> = {
    "2025-03-26": { experimental: { x: { n: 1 } }, roots: {}, sampling: {} },
    "2025-06-18": { experimental: { x: { n: 1 } }, roots: {}, sampling: {}, elicitation: {} },
    "2025-11-25": {
      experimental: { x: { n: 1 } },
      roots: {},
      sampling: { tools: {} },
      elicitation: { form: {}, url: {} },
    },
  };
  for (const [revision, capabilities] of Object.entries(expected)) {
    const fake = new ModernFake();
    const client = await fake.join({ revision, capabilities: declared });
    await client.request("tools/list");
    const meta = fake.of("tools/list")[0]!.message.params!._meta!;
    assertEquals(meta["io.modelcontextprotocol/clientCapabilities"], capabilities);
    await fake.bridge.close();
  }
});

Deno.test("streamable-http Request Metadata: fields mirror the body, the client's own are replaced", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const headers = new Fields([
    "mcp-protocol-version",
    "2025-11-25",
    "mcp-name",
    "forged",
    "mcp-param-x",
    "forged",
    "last-event-id",
    "3",
    "content-type",
    "application/json; charset=utf-8",
    "x-trace",
    "kept",
  ]);
  const send = async (method: string, params: unknown) => {
    const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const { body } = await fake.bridge.exchange(
      client.call({ headers }),
      new TextEncoder().encode(text),
    );
    await textOf(body);
    return fake.of(method).at(-1)!.call;
  };
  const { headers: sent, sessionId, lastEventId } = await send("resources/read", { uri: "a:ü" });
  const fields: Record<string, string> = {};
  sent.forEach((value, name) => fields[name] = value);
  assertEquals(fields, {
    "x-trace": "kept",
    "content-type": "application/json",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "resources/read",
    "mcp-name": "=?base64?YTrDvA==?=",
  });
  assertEquals(sent.get("content-type"), "application/json");
  assertEquals([sessionId, lastEventId], [undefined, null]);
  assertEquals((await send("prompts/get", { name: "p q" })).headers.get("mcp-name"), "p q");
  assertEquals((await send("x/y", { name: "n" })).headers.has("mcp-name"), false);
  await fake.bridge.close();
});

Deno.test("results lose resultType, cache hints and modern _meta; every other byte stays (R24)", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const answerWith = (text: string) => {
    fake.answers = {
      "prompts/list": () => fake.server.json(text),
      "x/y": () => fake.server.json(text),
    };
  };
  const cases: [method: string, sent: string, received: string][] = [
    [
      "prompts/list",
      ' {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","prompts":[ 1.0 ],"ttlMs":0,"cacheScope":"private"}}',
      ' {"jsonrpc":"2.0","id":7,"result":{"prompts":[ 1.0 ]}}',
    ],
    [
      "x/y",
      '{"jsonrpc":"2.0","id":7,"result":{"ttlMs":1 , "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"n"}, "a":[1.50]},"resultType":"complete"}}',
      '{"jsonrpc":"2.0","id":7,"result":{"ttlMs":1 , "_meta":{ "a":[1.50]}}}',
    ],
    [
      "x/y",
      '{"jsonrpc":"2.0","id":7,"result":{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"n"}},"resultType":"complete"}}',
      '{"jsonrpc":"2.0","id":7,"result":{}}',
    ],
    [
      "x/y",
      '{"jsonrpc":"2.0","id":7,"result":{"a":{},"_meta":{}}}',
      '{"jsonrpc":"2.0","id":7,"result":{"a":{},"_meta":{}}}',
    ],
  ];
  for (const [method, sent, received] of cases) {
    answerWith(sent);
    assertEquals(await client.ask({ jsonrpc: "2.0", id: 7, method, params: {} }), received);
  }
  await fake.bridge.close();
});

Deno.test("tools/list: what 2026-07-28 allows and earlier clients refuse is left out", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const bad = {
    name: "bad",
    inputSchema: { type: "object", properties: { a: { type: "number", "x-mcp-header": "A" } } },
  };
  const array = { name: "array", inputSchema: { type: "object" }, outputSchema: { type: "array" } };
  const good = { name: "good", inputSchema: { type: "object" }, outputSchema: { type: "object" } };
  fake.answers["tools/list"] = () => ({ tools: [bad, bad, array, bad, good, bad], ttlMs: 1 });
  assertEquals((await client.request("tools/list")).result, {
    tools: [{ name: "array", inputSchema: { type: "object" } }, good],
  });
  assertEquals(fake.warnings.length, 1);
  fake.answers["tools/list"] = () => ({ tools: [bad, bad], ttlMs: 1 });
  assertEquals((await client.request("tools/list")).result, { tools: [] });
  fake.answers["tools/call"] = () => ({ content: [], structuredContent: [1] });
  assertEquals((await client.request("tools/call", { name: "good" })).result, { content: [] });
  fake.answers["tools/call"] = () => ({ content: [], structuredContent: { a: 1 } });
  assertEquals((await client.request("tools/call", { name: "good" })).result, {
    content: [],
    structuredContent: { a: 1 },
  });
  await fake.bridge.close();
});

Deno.test("tools/list: boolean schemas of properties become objects (2025-11-25 schema, Tool)", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  // 2026-07-28 takes any JSON Schema 2020-12, of which true and false are two (server/tools, "Tool").
  const properties = { any: true, none: false, list: { items: true }, own: { type: "string" } };
  const inside = { type: "object", properties, additionalProperties: false };
  const told = { ...inside, properties: { ...properties, any: {}, none: { not: {} } } };
  const header = { type: "object", properties: { a: { type: "number", "x-mcp-header": "A" } } };
  fake.answers["tools/list"] = () => ({
    tools: [
      { name: "both", inputSchema: inside, outputSchema: inside },
      { name: "bad", inputSchema: header, outputSchema: inside },
      { name: "array", inputSchema: inside, outputSchema: { type: "array", properties } },
      { name: "odd", inputSchema: { type: "object", properties: [true] } },
    ],
    ttlMs: 1,
  });
  assertEquals((await client.request("tools/list")).result, {
    tools: [
      { name: "both", inputSchema: told, outputSchema: told },
      { name: "array", inputSchema: told },
      { name: "odd", inputSchema: { type: "object", properties: [true] } },
    ],
  });
  await fake.bridge.close();
});

Deno.test("modern errors become those of the session era, with status 200", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const answer = async (method: string, status: number, error: unknown, params: unknown = {}) => {
    fake.answers[method] = ({ message: { id } }) =>
      fake.server.json({ jsonrpc: "2.0", id, error }, status);
    const got = await client.exchange({ jsonrpc: "2.0", id: 7, method, params });
    assertEquals(got.status, 200);
    const { id, error: told } = JSON.parse(await textOf(got.body));
    assertEquals(id, 7);
    return told;
  };
  const unknown = { code: -32601, message: "no" };
  assertEquals(await answer("x/y", 404, unknown), unknown);
  const data = { uri: "a:" };
  const missing = { code: -32602, message: "nope", data };
  assertEquals(await answer("resources/read", 200, missing, { uri: "a:" }), {
    ...missing,
    code: -32002,
  });
  const said = { code: -32602, message: "Resource not found" };
  assertEquals((await answer("resources/read", 200, said, { uri: "a:" })).code, -32002);
  assertEquals((await answer("resources/read", 200, said, {})).code, -32602);
  const broken = { ...said, code: -32603 };
  assertEquals((await answer("resources/read", 200, broken, { uri: "a:" })).code, -32603);
  assertEquals((await answer("prompts/get", 200, missing, { name: "a:", uri: "a:" })).code, -32602);
  const lacking = { code: -32021, message: "m", data: { requiredCapabilities: {} } };
  assertEquals(await answer("x/y", 400, lacking), { ...lacking, code: -32600 });
  assertEquals((await answer("x/y", 400, { code: -32020, message: "m" })).code, -31502);
  assertEquals(fake.doubts, 0);
  const old = { code: -32022, message: "m", data: { supported: [], requested: "2026-07-28" } };
  const told = await answer("x/y", 400, old);
  assertEquals([told.code, told.data, fake.doubts], [-31502, undefined, 1]);
  await answer("x/y", 200, old);
  assertEquals(fake.doubts, 2);
  await fake.bridge.close();
});

Deno.test("an error without an id is that of the one request", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  fake.answers["x/y"] = () =>
    fake.server.json('{"jsonrpc":"2.0","error":{"code":-32600,"message":"m"}}', 400);
  assertEquals(await client.request("x/y"), {
    id: 7,
    jsonrpc: "2.0",
    error: { code: -32600, message: "m" },
  });
  await fake.bridge.close();
});

Deno.test("what a server of another era answers is doubted, and never ends the session", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const body = {
    jsonrpc: "2.0",
    error: { code: -32000, message: "Bad Request: No valid session ID provided" },
  };
  const cases: [unknown, number, number][] = [
    [body, 400, 200],
    ["no", 404, 502],
    ["no", 405, 502],
    [body, 405, 502],
    [undefined, 400, 502],
  ];
  for (const [sent, status, received] of cases) {
    const before = fake.doubts;
    fake.answers["x/y"] = () => fake.server.json(sent, status);
    const answer = await client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" });
    assertEquals([answer.status, fake.doubts - before], [received, 1]);
    assertEquals(JSON.parse(await textOf(answer.body)).id, 7);
  }
  await fake.bridge.close();
});

Deno.test("other refusals of the server pass with their status, fields and body", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  fake.answers["x/y"] = () => {
    const answer = fake.server.json({ error: "slow down" }, 429);
    answer.headers.set("retry-after", "3");
    return answer;
  };
  const answer = await client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" });
  assertEquals([answer.status, answer.headers.get("retry-after"), fake.doubts], [429, "3", 0]);
  assertEquals(await textOf(answer.body), '{"error":"slow down"}');
  // One that is very long passes without its body.
  fake.answers["x/y"] = () => fake.server.json({ error: "x".repeat(70_000) }, 429);
  const long = await client.exchange({ jsonrpc: "2.0", id: 7, method: "x/y" });
  assertEquals([long.status, await textOf(long.body)], [429, ""]);
  await fake.bridge.close();
});
