import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import type { UpstreamAnswer } from "../../upstream/mod.ts";
import * as modern from "../../testing/as_modern.ts";
import * as relay from "../../testing/relay.ts";

const { ANONYMOUS, CAN, FORM, ModernSetup } = modern;
type Setup = InstanceType<typeof ModernSetup>;
type Asking = modern.Asking;

const SCHEMA = {
  type: "object",
  properties: {
    region: { type: "string", "x-mcp-header": "Region" },
    count: { type: "integer", "x-mcp-header": "Count" },
    dry: { type: "boolean", "x-mcp-header": "Dry" },
    deep: { type: "object", properties: { of: { type: "string", "x-mcp-header": "Of" } } },
  },
};
const TOOL = { name: "t", inputSchema: SCHEMA };
const REGION = { region: "eu" };
const FIELD = { "mcp-param-region": "eu" };

/** A server with these tools, in pages; its answer to a call is empty. */
function withTools(
  pages: () => readonly (readonly unknown[])[],
  options: ConstructorParameters<typeof ModernSetup>[0] = {},
): Setup {
  const setup = new ModernSetup(options);
  return setup.numbered(({ message: { method, id, params } }) => {
    if (method !== "tools/list") return undefined;
    const page = Number(params?.cursor ?? 0);
    const more = page + 1 < pages().length ? { nextCursor: `${page + 1}` } : {};
    return setup.server.json({ jsonrpc: "2.0", id, result: { tools: pages()[page], ...more } });
  });
}

/** Calls the tool; the status, or the kind of the error. */
async function call(
  setup: Setup,
  args: unknown,
  headers: Readonly<Record<string, string>> = {},
  { name = "t", ...asking }: Asking & { name?: string } = {},
): Promise<number | string> {
  const params = args === undefined ? { name } : { name, arguments: args };
  try {
    return (await setup.ask("tools/call", params, { ...asking, headers })).status;
  } catch (error) {
    assert(error instanceof ProxyError);
    return error.kind;
  }
}

const TABLE: readonly [
  args: unknown,
  headers: Readonly<Record<string, string>>,
  isRight: boolean,
][] = [
  // Table of "Server Behavior for Custom Headers".
  [{ region: "eu" }, { "mcp-param-region": "eu" }, true],
  [{ region: "eu" }, { "mcp-param-region": "us" }, false],
  [{ region: "eu" }, { "mcp-param-region": "EU" }, false],
  [{ region: "eu" }, {}, false],
  [{ region: null }, {}, true],
  [{}, {}, true],
  [undefined, {}, true],
  [{ region: null }, { "mcp-param-region": "eu" }, false],
  [{ region: null }, { "mcp-param-region": "null" }, false],
  [{}, { "mcp-param-region": "eu" }, false],
  // An empty text is a value.
  [{ region: "" }, {}, false],
  [{ region: "" }, { "mcp-param-region": "" }, true],
  // "Value Encoding".
  [{ region: "Hello, 世界" }, { "mcp-param-region": "=?base64?SGVsbG8sIOS4lueVjA==?=" }, true],
  [{ region: "eu" }, { "mcp-param-region": "=?base64?ZXU=?=" }, true],
  [{ region: "eu" }, { "mcp-param-region": "=?base64?dXM=?=" }, false],
  [{ region: "eu" }, { "mcp-param-region": "=?base64?ZXU?=" }, false],
  [{ region: "eu" }, { "mcp-param-region": "=?base64?ZX!=?=" }, false],
  [{ region: "ZXU=" }, { "mcp-param-region": "ZXU=" }, true],
  [{ region: "=?base64?ZXU=" }, { "mcp-param-region": "=?base64?ZXU=" }, true],
  [{ region: "\u00fc" }, { "mcp-param-region": "\u00fc" }, false],
  [{ region: "a\u0001" }, { "mcp-param-region": "a\u0001" }, false],
  // "Server Validation": integers are compared as numbers.
  [{ count: 42 }, { "mcp-param-count": "42" }, true],
  [{ count: 42 }, { "mcp-param-count": "42.0" }, true],
  [{ count: 42 }, { "mcp-param-count": "=?base64?NDI=?=" }, true],
  [{ count: 42 }, { "mcp-param-count": "43" }, false],
  [{ count: 42 }, { "mcp-param-count": "0x2a" }, false],
  [{ count: 42 }, {}, false],
  [{ count: 0 }, { "mcp-param-count": "" }, false],
  [{ count: 0 }, {}, false],
  [{ count: 1.5 }, {}, true],
  [{ count: 1.5 }, { "mcp-param-count": "1.5" }, true],
  [{ count: 1.5 }, { "mcp-param-count": "1" }, false],
  [{ dry: false }, { "mcp-param-dry": "false" }, true],
  [{ dry: false }, { "mcp-param-dry": "0" }, false],
  [{ dry: false }, {}, false],
  // The value at the exact path; what is no primitive cannot be repeated.
  [{ deep: { of: "x" } }, { "mcp-param-of": "x" }, true],
  [{ deep: { of: "x" } }, {}, false],
  [{ of: "x" }, {}, true],
  [{ region: ["eu"] }, {}, true],
  [{ region: ["eu"] }, { "mcp-param-region": "eu" }, false],
  // What is not recognised is ignored.
  [{}, { "mcp-param-other": "eu" }, true],
];

Deno.test("fields of a call must say what its arguments say (Server Behavior for Custom Headers, Value Encoding, Server Validation)", async () => {
  const setup = withTools(() => [[TOOL]]);
  await setup.ask("tools/list");
  for (const [args, headers, isRight] of TABLE) {
    const before = setup.server.of("tools/call").length;
    const told = await call(setup, args, headers);
    const row = `${JSON.stringify(args)} ${JSON.stringify(headers)}`;
    assertEquals(told, isRight ? 200 : "header_mismatch", row);
    assertEquals(setup.server.of("tools/call").length - before, isRight ? 1 : 0, row);
  }
  assertEquals(setup.server.of("tools/list").length, 1);
  await setup.close();
});

Deno.test("integers beyond those of JavaScript are held against the field digit by digit", async () => {
  const setup = withTools(() => [[TOOL]]);
  await setup.ask("tools/list");
  const post = (field: string) => {
    const meta = { [modern.metaKey("protocolVersion")]: "2026-07-28" };
    const _meta = JSON.stringify({ ...meta, [modern.metaKey("clientCapabilities")]: {} });
    return setup.raw(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"count":9007199254740993},"_meta":${_meta}}}`,
      { headers: { "mcp-param-count": field } },
    );
  };
  assertEquals((await post("9007199254740993")).status, 200);
  assertEquals(await post("9007199254740992").catch((error) => error.kind), "header_mismatch");
  await setup.close();
});

Deno.test("a refusal is a 400 with -32020, the request's id and the field's name (Server Validation)", async () => {
  const setup = withTools(() => [[TOOL]]);
  await setup.ask("tools/list");
  const error = await setup.ask("tools/call", { name: "t", arguments: REGION }, { id: 41 })
    .catch((error) => error);
  assert(error instanceof ProxyError);
  assertEquals([error.status, error.code, error.idText], [400, -32020, "41"]);
  assertStringIncludes(error.message, "mcp-param-region header is missing");
  await setup.close();
});

Deno.test("a field for a tool that no list had makes the bridge read the list once, in the call's own session", async () => {
  const pages = [[{ name: "a" }], [TOOL]];
  for (const principal of ["p", ANONYMOUS]) {
    const setup = withTools(() => pages);
    const { server } = setup;
    assertEquals(await call(setup, { region: "us" }, FIELD, { principal }), "header_mismatch");
    await relay.settled();
    // A principal's own session is kept for its next call; an anonymous caller's is not.
    const ended = server.calls.filter(({ kind }) => kind === "terminate").length;
    assertEquals(ended, principal === ANONYMOUS ? 1 : 0);
    assertEquals(server.of("tools/list").map(({ message }) => message.params?.cursor), [
      undefined,
      "1",
    ]);
    assertEquals(await call(setup, REGION, FIELD, { principal }), 200);
    assertEquals(await call(setup, REGION, FIELD, { principal, name: "unknown" }), 200);
    assertEquals(server.of("tools/list").length, 2, "the list is asked for once");
    assertEquals(server.of("tools/call").length, 2);
    await setup.close();
  }
});

Deno.test("what is no list of tools teaches nothing", async () => {
  const setup = new ModernSetup();
  setup.server.script = ({ message: { method, id } }) =>
    method === "tools/call"
      ? setup.server.json({ jsonrpc: "2.0", id, result: { tools: [TOOL] } })
      : undefined;
  assertEquals(await call(setup, REGION), 200);
  assertEquals(await call(setup, REGION), 200);
  await setup.close();
});

Deno.test("calls that come together have the list asked for once", async () => {
  const setup = withTools(() => [[TOOL]]);
  const all = await Promise.all([
    call(setup, REGION, FIELD),
    call(setup, REGION, { "mcp-param-region": "us" }),
    call(setup, REGION, FIELD),
  ]);
  assertEquals(all, [200, "header_mismatch", 200]);
  assertEquals(setup.server.of("tools/list").length, 1);
  await setup.close();
});

Deno.test("a call without such fields of a tool that no list had costs no further request", async () => {
  const setup = withTools(() => [[TOOL]]);
  assertEquals(await call(setup, REGION), 200);
  assertEquals(setup.server.of("tools/list").length, 0);
  await setup.close();
});

Deno.test("a server that has no list of tools is asked once, and called unchecked", async () => {
  const setup = new ModernSetup();
  setup.server.script = ({ message: { method, id } }) =>
    method === "tools/list"
      ? setup.server.json({ jsonrpc: "2.0", id, error: { code: -32601, message: "no" } })
      : undefined;
  assertEquals(await call(setup, {}, FIELD), 200);
  assertEquals(await call(setup, {}, FIELD), 200);
  assertEquals(setup.server.of("tools/list").length, 1);
  await setup.close();
});

Deno.test("where the list could not be had the call goes up, and the next one asks again", async () => {
  const setup = new ModernSetup();
  setup.server.script = ({ message: { method } }) =>
    method === "tools/list" ? setup.server.json(undefined, 503) : undefined;
  assertEquals(await call(setup, {}, FIELD), 200);
  assertEquals(await call(setup, {}, FIELD), 200);
  assertEquals(setup.server.of("tools/list").length, 2);
  await setup.close();
});

Deno.test("tools whose annotations are not valid are called unchecked (Schema Extension)", async () => {
  const schema = {
    type: "object",
    properties: { region: { type: "number", "x-mcp-header": "R" } },
  };
  const setup = withTools(() => [[{ name: "t", inputSchema: schema }]]);
  await setup.ask("tools/list");
  assertEquals(await call(setup, { region: 1 }, { "mcp-param-r": "2" }), 200);
  await setup.close();
});

Deno.test("what is known is forgotten when the server says that its tools have changed", async () => {
  let tools: unknown[] = [TOOL];
  const setup = withTools(() => [tools]);
  const { server } = setup;
  await setup.ask("tools/list", {}, { capabilities: CAN });
  const asking = { capabilities: CAN };
  assertEquals(await call(setup, REGION, {}, asking), "header_mismatch");
  server.say({ jsonrpc: "2.0", method: "notifications/prompts/list_changed" });
  await relay.settled();
  assertEquals(await call(setup, REGION, {}, asking), "header_mismatch");
  tools = [{ name: "t" }];
  server.say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  await relay.settled();
  assertEquals(await call(setup, REGION, {}, asking), 200);
  assertEquals(await call(setup, {}, FIELD, asking), 200);
  assertEquals(server.of("tools/list").length, 2);
  await setup.close();
});

Deno.test("a newer list replaces what an older one said of a tool", async () => {
  let tools: unknown[] = [TOOL];
  const setup = withTools(() => [tools]);
  await setup.ask("tools/list");
  tools = [{ name: "t" }];
  await setup.ask("tools/list");
  assertEquals(await call(setup, REGION), 200);
  await setup.close();
});

Deno.test("what one principal's list says is not held against another's calls", async () => {
  const setup = withTools(() => [[TOOL]]);
  await setup.ask("tools/list", {}, { principal: "a" });
  assertEquals(await call(setup, REGION, {}, { principal: "b" }), 200);
  assertEquals(await call(setup, REGION, {}, { principal: "a" }), "header_mismatch");
  await setup.close();
});

Deno.test("bounds of lists, tools and pages: what is beyond them is not remembered", async () => {
  const many = [[{ ...TOOL, name: "t1" }, { ...TOOL, name: "t2" }], [{ ...TOOL, name: "t3" }]];
  let tools: readonly unknown[][] = many;
  const setup = withTools(() => tools, { bounds: { maxTools: 1 } });
  await setup.ask("tools/list");
  assertEquals(await call(setup, REGION, {}, { name: "t1" }), "header_mismatch");
  assertEquals(await call(setup, REGION, {}, { name: "t2" }), 200);
  tools = [[{ name: "t1" }]];
  await setup.ask("tools/list");
  assertEquals(await call(setup, REGION, {}, { name: "t1" }), 200, "what is known is kept up");
  await setup.close();

  const paged = withTools(() => many, { bounds: { maxToolPages: 1 } });
  assertEquals(await call(paged, {}, FIELD, { name: "t3" }), 200);
  assertEquals(await call(paged, {}, FIELD, { name: "t3" }), 200);
  assertEquals(paged.server.of("tools/list").length, 1);
  await paged.close();

  const crowded = withTools(() => [[TOOL]], { bounds: { maxToolLists: 1 } });
  await crowded.ask("tools/list", {}, { principal: "a" });
  await crowded.ask("tools/list", {}, { principal: "b" });
  assertEquals(await call(crowded, REGION, {}, { principal: "a" }), 200);
  assertEquals(await call(crowded, REGION, {}, { principal: "b" }), "header_mismatch");
  await crowded.close();
});

Deno.test("a retry with answers is checked too, and its requestState is not used up by a refusal (basic/patterns/mrtr)", async () => {
  const { setup, server, question, answer } = modern.asking();
  const { script } = server;
  server.script = (taken) =>
    taken.message.method === "tools/list"
      ? server.json({ jsonrpc: "2.0", id: taken.message.id, result: { tools: [TOOL] } })
      : script(taken);
  const asking = { capabilities: CAN };
  await setup.ask("tools/list", {}, asking);
  const params = { name: "t", arguments: REGION };
  const asked = setup.ask("tools/call", params, { ...asking, headers: FIELD });
  await relay.settled();
  question(1, "elicitation/create", FORM);
  const { inputRequests, requestState } = (await asked).message.result!;
  const [key] = Object.keys(inputRequests!);
  const retry = { ...params, requestState, inputResponses: { [key!]: { action: "decline" } } };
  const refused = await setup.ask("tools/call", retry, asking).catch((error) => error);
  assertEquals(refused.kind, "header_mismatch");
  const going = setup.ask("tools/call", retry, { ...asking, headers: FIELD });
  await relay.settled();
  answer({ content: [] });
  assertEquals((await going).message.result!.resultType, "complete");
  await setup.close();
});

/** A server whose list of tools is there when the test says so. */
function withSlowList(): { setup: Setup; answered: () => void } {
  const list = Promise.withResolvers<UpstreamAnswer>();
  const setup = new ModernSetup();
  setup.server.script = ({ message: { method } }) =>
    method === "tools/list" ? list.promise : undefined;
  const answered = () => {
    const { id } = setup.sent("tools/list").message;
    list.resolve(setup.server.json({ jsonrpc: "2.0", id, result: { tools: [TOOL] } }));
  };
  return { setup, answered };
}

Deno.test("R54 a client that goes while its tool is looked up has nothing sent for it, and leaves no session", async () => {
  const { setup, answered } = withSlowList();
  const gone = new AbortController();
  const asking = { principal: ANONYMOUS, signal: gone.signal };
  const told = call(setup, REGION, FIELD, asking);
  await relay.settled();
  gone.abort();
  assertEquals(await told, "client_closed");
  answered();
  await relay.settled();
  assertEquals(setup.server.of("tools/call").length, 0);
  assertEquals(setup.server.calls.filter(({ kind }) => kind === "terminate").length, 1);
  await setup.close();
});

Deno.test("a bridge that closes while a tool is looked up sends no call any more", async () => {
  const { setup, answered } = withSlowList();
  const told = call(setup, REGION, FIELD);
  await relay.settled();
  const closed = setup.bridge.close();
  answered();
  assertEquals(await told, "stopping");
  await closed;
  assertEquals(setup.server.of("tools/call").length, 0);
  await setup.close();
});
