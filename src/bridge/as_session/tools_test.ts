import { assert, assertEquals } from "@std/assert";
import { ModernFake } from "../../testing/bridge.ts";
import { settled } from "../../testing/relay.ts";
import { eventOf, type FakeCall } from "../../testing/share.ts";
import { headerParams, mirroredValues } from "../../rpc/mod.ts";

function schema(properties: Record<string, unknown>): unknown {
  return { type: "object", properties };
}

const REGION = { type: "string", "x-mcp-header": "Region" };

function paramFields({ call }: FakeCall): Record<string, string> {
  const found: Record<string, string> = {};
  call.headers.forEach((value, name) => {
    if (name.startsWith("mcp-param-")) found[name] = value;
  });
  return found;
}

Deno.test("x-mcp-header: parameters are found along properties, and their values encoded by type", () => {
  const found = headerParams(schema({
    a: REGION,
    b: { type: "object", properties: { c: { type: ["integer", "null"], "x-mcp-header": "C" } } },
    d: { type: "boolean", "x-mcp-header": "d.D" },
    "x-mcp-header": { type: "string" },
    e: { type: "object", default: { "x-mcp-header": "data" } },
  }));
  assert(typeof found !== "string", String(found));
  const values = (args: unknown) => Object.fromEntries(mirroredValues(found, args));
  assertEquals(values({ a: "x", b: { c: -7 }, d: false }), {
    "mcp-param-region": "x",
    "mcp-param-c": "-7",
    "mcp-param-d.d": "false",
  });
  assertEquals(values({ a: null, b: { c: 1.5 } }), {});
  assertEquals(values({ a: {}, b: [] }), {});
  assertEquals(values(undefined), {});
});

Deno.test("x-mcp-header: definitions that break its constraints are told apart", () => {
  const broken: unknown[] = [
    schema({ a: { type: "string", "x-mcp-header": "" } }),
    schema({ a: { type: "string", "x-mcp-header": "a b" } }),
    schema({ a: { type: "string", "x-mcp-header": "a\r\n" } }),
    schema({ a: { type: "string", "x-mcp-header": 1 } }),
    schema({ a: { type: "number", "x-mcp-header": "A" } }),
    schema({ a: { "x-mcp-header": "A" } }),
    schema({ a: { type: [], "x-mcp-header": "A" } }),
    schema({ a: REGION, b: { type: "string", "x-mcp-header": "rEGION" } }),
    schema({ a: { type: "array", items: REGION } }),
    schema({ a: { oneOf: [REGION] } }),
    { type: "object", $defs: { a: REGION } },
    { type: "object", allOf: [schema({ a: REGION })] },
    { type: "object", additionalProperties: REGION },
    { type: "string", "x-mcp-header": "A" },
  ];
  for (const one of broken) assertEquals(typeof headerParams(one), "string", JSON.stringify(one));
  let deep: unknown = {};
  for (let depth = 0; depth < 20_000; depth++) deep = { items: deep };
  assertEquals(typeof headerParams(deep), "string");
  const wide = Object.fromEntries(Array.from({ length: 300_000 }, (_, at) => [`p${at}`, {}]));
  assertEquals(typeof headerParams(schema(wide)), "string");
});

const TOOL = { name: "sql", inputSchema: schema({ region: REGION }) };
const CALL = { name: "sql", arguments: { region: "us west 日" } };
const FIELDS = { "mcp-param-region": "=?base64?dXMgd2VzdCDml6U=?=" };

Deno.test("Client Behavior: a call of an unknown tool has the list asked for, all pages of it, and kept", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  fake.answers["tools/list"] = ({ message: { params } }) =>
    params!["cursor"] === "2"
      ? { tools: [TOOL], ttlMs: 0 }
      : { tools: [{ name: "a" }], nextCursor: "2", ttlMs: 0 };
  await client.request("tools/call", CALL);
  await client.request("tools/call", { ...CALL, arguments: { region: null } });
  await client.request("tools/call", { name: "none" });
  assertEquals(fake.of("tools/call").map(paramFields), [FIELDS, {}, {}]);
  assertEquals(fake.of("tools/list").map(({ message }) => message.params!["cursor"]), [
    undefined,
    "2",
  ]);
  fake.clock.advance(60_000);
  await client.request("tools/call", CALL);
  assertEquals(fake.of("tools/list").length, 4);
  await fake.bridge.close();
});

Deno.test("a list that goes by is learnt from, for everybody where it is public", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const other = await fake.join({ principal: "q" });
  fake.answers["tools/list"] = () => ({ tools: [TOOL], ttlMs: 0, cacheScope: "private" });
  await client.request("tools/list");
  await client.request("tools/call", CALL);
  assertEquals(fake.of("tools/list").length, 1);
  await other.request("tools/call", CALL);
  assertEquals(fake.of("tools/list").length, 2);
  fake.clock.advance(60_000);
  fake.answers["tools/list"] = () => ({ tools: [TOOL], ttlMs: 0, cacheScope: "public" });
  await client.request("tools/list");
  await other.request("tools/call", CALL);
  assertEquals(fake.of("tools/list").length, 3);
  assertEquals(fake.of("tools/call").map(paramFields), [FIELDS, FIELDS, FIELDS]);
  await fake.bridge.close();
});

Deno.test("caching: a list is used for its ttlMs", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  fake.answers["tools/list"] = () => ({ tools: [TOOL], ttlMs: 120_000 });
  await client.request("tools/call", CALL);
  // Not so long that the session would be idle.
  fake.clock.advance(90_000);
  await client.request("tools/call", CALL);
  fake.clock.advance(30_000);
  assertEquals(fake.of("tools/list").length, 1);
  await client.request("tools/call", CALL);
  assertEquals(fake.of("tools/list").length, 2);
  await fake.bridge.close();
});

Deno.test("-32020 has the list asked for once more and the call sent again, once, under another id", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  fake.answers["tools/list"] = () => ({ tools: [{ name: "sql" }] });
  await client.request("tools/list");
  fake.answers["tools/list"] = () => ({ tools: [TOOL] });
  fake.answers["tools/call"] = (call) => {
    const { id } = call.message;
    if (Object.keys(paramFields(call)).length > 0) return { content: [] };
    return fake.server.json({ jsonrpc: "2.0", id, error: { code: -32020, message: "m" } }, 400);
  };
  assertEquals(await client.request("tools/call", CALL), {
    jsonrpc: "2.0",
    id: 7,
    result: { content: [] },
  });
  const calls = fake.of("tools/call");
  assertEquals(calls.map(paramFields), [{}, FIELDS]);
  assert(calls[1]!.message.id !== 7);
  fake.answers["tools/call"] = ({ message: { id } }) =>
    fake.server.json({ jsonrpc: "2.0", id, error: { code: -32020, message: "m" } }, 400);
  assertEquals((await client.request("tools/call", CALL)).error!.code, -31502);
  assertEquals([fake.of("tools/call").length, fake.doubts], [4, 0]);
  await fake.bridge.close();
});

Deno.test("-32020 is believed also where the newer list is public and the older one was not", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  fake.answers["tools/list"] = () => ({ tools: [{ name: "sql" }], ttlMs: 80_000 });
  await client.request("tools/call", CALL);
  fake.answers["tools/list"] = () => ({ tools: [TOOL], cacheScope: "public" });
  fake.answers["tools/call"] = (call) => {
    const { id } = call.message;
    if (Object.keys(paramFields(call)).length > 0) return { content: [] };
    return fake.server.json({ jsonrpc: "2.0", id, error: { code: -32020, message: "m" } }, 400);
  };
  assertEquals((await client.request("tools/call", CALL)).result, { content: [] });
  assertEquals(fake.of("tools/call").map(paramFields), [{}, {}, FIELDS]);
  await fake.bridge.close();
});

Deno.test("a list that cannot be had keeps no call back, and is asked for once for all who wait", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  fake.answers["tools/list"] = () => fake.server.json("no", 500);
  fake.answers["tools/call"] = () => ({ content: [] });
  const calls = [7, 8].map((id) => client.request("tools/call", CALL, id));
  await settled();
  for (const { result } of await Promise.all(calls)) assertEquals(result, { content: [] });
  assertEquals(fake.of("tools/list").length, 1);
  await fake.bridge.close();
});

Deno.test("a list that does not come takes half of a call's time at most, and is given up itself", async () => {
  const fake = new ModernFake({ limits: { toolListMs: 30_000 } });
  const client = await fake.join();
  const { answer, filled } = fake.server.events();
  fake.answers["tools/list"] = () => answer;
  fake.answers["tools/call"] = () => ({ content: [] });
  const calling = client.request("tools/call", CALL);
  await settled();
  assertEquals(fake.of("tools/call").length, 0);
  fake.clock.advance(5_000);
  assertEquals((await calling).result, { content: [] });
  assertEquals(filled.body.ended, false);
  fake.clock.advance(25_000);
  await settled();
  assertEquals((await client.request("tools/call", CALL)).result, { content: [] });
  assertEquals([fake.of("tools/list").length, fake.of("tools/call").length], [1, 2]);
  await fake.bridge.close();
});

Deno.test("a call that is cancelled while the list is asked for is not sent", async () => {
  const fake = new ModernFake();
  const client = await fake.join();
  const { answer, filled } = fake.server.events();
  fake.answers["tools/list"] = () => answer;
  const asking = client.streamed({ jsonrpc: "2.0", id: 7, method: "tools/call", params: CALL });
  await settled();
  const params = { requestId: 7 };
  await client.notify({ jsonrpc: "2.0", method: "notifications/cancelled", params });
  await asking;
  filled.send(eventOf({ jsonrpc: "2.0", id: 1, result: { tools: [] } }));
  await settled();
  assertEquals([fake.of("tools/list").length, fake.of("tools/call").length], [1, 0]);
  await fake.bridge.close();
});

Deno.test("R82 pages, tools and lists that are kept are bounded", async () => {
  const fake = new ModernFake({ limits: { maxToolPages: 3, maxTools: 2, maxKept: 1 } });
  const client = await fake.join();
  let page = 0;
  fake.answers["tools/list"] = () => ({ tools: [{ name: `t${++page}` }], nextCursor: "more" });
  await client.request("tools/call", { name: "t1" });
  assertEquals(page, 3);
  await client.request("tools/call", { name: "t2" });
  assertEquals(page, 3);
  // The third had no room, so it is not known; a list without an end is not asked for again soon.
  await client.request("tools/call", { name: "t3" });
  assertEquals(page, 3);
  const other = await fake.join({ principal: "q" });
  await other.request("tools/call", { name: "t7" });
  await client.request("tools/call", { name: "t5" });
  assertEquals(page, 9);
  await fake.bridge.close();
});

Deno.test("R89 a server that does not list all of its tools is not asked for them with each call of one", async () => {
  const lists = {
    "that has no end": ({ message: { params } }: FakeCall) => ({
      tools: [{ name: "a" }],
      nextCursor: `${Number(params!["cursor"] ?? 0) + 1}`,
    }),
    "that is refused": (call: FakeCall) => {
      const { id } = call.message;
      return fake.server.json({ jsonrpc: "2.0", id, error: { code: -32603, message: "m" } });
    },
  };
  let fake = new ModernFake();
  for (const list of Object.values(lists)) {
    fake = new ModernFake({ limits: { maxToolPages: 3 } });
    const client = await fake.join();
    fake.answers["tools/list"] = list;
    await client.request("tools/call", { name: "x" });
    const once = fake.of("tools/list").length;
    for (const name of ["x", "y", "z"]) await client.request("tools/call", { name });
    assertEquals([fake.of("tools/list").length, fake.of("tools/call").length], [once, 4]);
    fake.clock.advance(60_000);
    await client.request("tools/call", { name: "x" });
    assertEquals(fake.of("tools/list").length, 2 * once);
    await fake.bridge.close();
  }
});
