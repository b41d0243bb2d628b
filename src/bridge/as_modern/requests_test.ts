import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import * as modern from "../../testing/as_modern.ts";
import * as share from "../../testing/share.ts";

const { ModernSetup, metaKey, modernMessages } = modern;

Deno.test("a request goes up without the reserved _meta keys, every other byte as it was", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  const meta = `{"traceparent":"00-a","${metaKey("protocolVersion")}":"2026-07-28",` +
    `"${metaKey("clientCapabilities")}":{},"x/y":12345678901234567890.10}`;
  await setup.raw(
    `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"t","arguments":{"n":1.0e2, "m":9007199254740993},"_meta":${meta}}}`,
  );
  const { text, call } = setup.sent("tools/call");
  assertStringIncludes(text, `"arguments":{"n":1.0e2, "m":9007199254740993}`);
  assertStringIncludes(text, `"_meta":{"traceparent":"00-a","x/y":12345678901234567890.10}`);
  assertEquals(text.includes("io.modelcontextprotocol"), false);
  assertEquals(call.sessionId, "up-1");
  assertEquals(call.headers.get("mcp-protocol-version"), "2025-11-25");
  assertEquals(server.of("initialize").length, 1);
  await setup.close();
});

Deno.test("the request headers of 2026-07-28 do not go to a server of the session era", async () => {
  const setup = new ModernSetup();
  const headers = { "mcp-method": "tools/call", "mcp-name": "t", "mcp-param-x": "1", "x-own": "2" };
  await setup.ask("tools/call", { name: "t" }, { headers });
  const { call } = setup.sent("tools/call");
  const names: string[] = [];
  call.headers.forEach((_value, name) => names.push(name));
  assertEquals(names.toSorted(), ["content-type", "mcp-protocol-version", "x-own"]);
  await setup.close();
});

Deno.test("2025-03-26 has no version header, and none is sent where the server settles for it", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.script = ({ message: { method, id } }) => {
    if (method !== "initialize") return undefined;
    const result = { protocolVersion: "2025-03-26", capabilities: {} };
    return { ...server.json({ jsonrpc: "2.0", id, result }), sessionId: "up-1" };
  };
  await setup.ask("tools/list");
  assertEquals(setup.sent("tools/list").call.headers.get("mcp-protocol-version"), null);
  await setup.close();
});

Deno.test("results are complete, say who the server is, and where they may be cached for how long (server/utilities/caching)", async () => {
  const setup = new ModernSetup();
  const listed = (await setup.ask("tools/list")).message.result!;
  assertEquals(listed, {
    resultType: "complete",
    ttlMs: 0,
    cacheScope: "private",
    _meta: { [metaKey("serverInfo")]: { name: "fake", version: "1" } },
  });
  const called = (await setup.ask("tools/call", { name: "t" })).message.result!;
  assertEquals(Object.keys(called).toSorted(), ["_meta", "resultType"]);
  await setup.close();
});

Deno.test("what may be cached is said as configured", async () => {
  const setup = new ModernSetup({ list: { ttlMs: 60_000, cacheScope: "public" } });
  for (const method of ["server/discover", "prompts/list", "resources/list", "resources/read"]) {
    const { result } = (await setup.ask(method)).message;
    assertEquals([result!.ttlMs, result!.cacheScope], [60_000, "public"], method);
  }
  const templates = (await setup.ask("resources/templates/list")).message.result!;
  assertEquals(templates.ttlMs, 60_000);
  await setup.close();
});

Deno.test("a result keeps its own bytes and its own _meta", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.script = ({ message: { method, id } }) =>
    method === "tools/call"
      ? server.json(
        `{"jsonrpc":"2.0","id":${id},"result":{"n":1.50,"_meta":{"a":9007199254740993}}}`,
      )
      : undefined;
  const { text, message } = await setup.ask("tools/call", { name: "t" }, { id: 41 });
  assertStringIncludes(text, `"n":1.50`);
  assertStringIncludes(text, `"a":9007199254740993`);
  assertEquals(message.id, 41);
  await setup.close();
});

Deno.test("ids are unique in the session, of the same type, and restored", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  const held: (() => void)[] = [];
  server.script = ({ message: { method, id } }) => {
    if (method !== "tools/call") return undefined;
    return new Promise((resolve) => {
      held.push(() => resolve(server.json({ jsonrpc: "2.0", id, result: { up: id } })));
    });
  };
  const asked = [1, "1", 1].map((id) => setup.ask("tools/call", { name: "t" }, { id }));
  while (held.length < 3) await Promise.resolve();
  const ids = server.of("tools/call").map(({ message }) => message.id!);
  assertEquals(ids.map((id) => typeof id), ["number", "string", "number"]);
  assertEquals(new Set(ids.map(String)).size, 3);
  held.toReversed().forEach((answer) => answer());
  const answers = await Promise.all(asked);
  assertEquals(answers.map(({ message }) => message.id), [1, "1", 1]);
  assertEquals(answers.map(({ message }) => message.result!.up), ids);
  assertEquals(server.of("initialize").length, 1);
  await setup.close();
});

Deno.test("progress comes ahead of the result, with the client's token (basic/patterns/progress)", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.script = ({ message: { method, id, params } }) => {
    if (method !== "tools/call") return undefined;
    const { answer, filled } = server.events();
    const token = params!._meta!.progressToken;
    const progress = { progressToken: token, progress: 1 };
    filled.send(
      share.eventOf({ jsonrpc: "2.0", method: "notifications/progress", params: progress }),
    );
    const others = { progressToken: "other", progress: 1 };
    filled.send(
      share.eventOf({ jsonrpc: "2.0", method: "notifications/progress", params: others }),
    );
    filled.send(share.eventOf({ jsonrpc: "2.0", id, result: {} }));
    filled.body.finish();
    return answer;
  };
  const reader = await setup.stream("tools/call", { name: "t" }, {
    meta: { progressToken: "tok" },
  });
  const [progress, result, more] = modernMessages(reader);
  assertEquals(progress!.params, { progressToken: "tok", progress: 1 });
  assertEquals(result!.result!.resultType, "complete");
  assertEquals(more, undefined);
  assertEquals(reader.ending, null);
  assert(setup.sent("tools/call").message.params!._meta!.progressToken !== "tok");
  await setup.close();
});

Deno.test("a stream on which the response comes first is answered with JSON", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.script = ({ message: { method, id } }) => {
    if (method !== "tools/call") return undefined;
    const { answer, filled } = server.events();
    filled.send(share.eventOf({ jsonrpc: "2.0", id, result: {} }));
    return answer;
  };
  assertEquals((await setup.ask("tools/call", { name: "t" })).message.id, 7);
  await setup.close();
});

Deno.test("a stream that the server ends early is taken up again behind its last event (2025-11-25 polling)", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  let id: unknown;
  server.script = ({ kind, message, call }) => {
    if (message.method === "tools/call") {
      id = message.id;
      const { answer, filled } = server.events();
      filled.send("id: e-1\nretry: 1\ndata:\n\n");
      filled.body.finish();
      return answer;
    }
    if (kind !== "listen") return undefined;
    assertEquals(call.lastEventId, "e-1");
    const { answer, filled } = server.events();
    filled.send(share.eventOf({ jsonrpc: "2.0", id, result: { late: true } }));
    return answer;
  };
  const asked = setup.ask("tools/call", { name: "t" });
  while (!server.calls.some(({ kind }) => kind === "listen")) {
    await Promise.resolve();
    server.clock.advance(1);
  }
  assertEquals((await asked).message.result!.late, true);
  await setup.close();
});

Deno.test("a stream without an event id that ends without a response is an error", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.script = ({ message }) => {
    if (message.method !== "tools/call") return undefined;
    const { answer, filled } = server.events();
    filled.body.finish();
    return answer;
  };
  const error = await assertRejects(() => setup.ask("tools/call", { name: "t" }), ProxyError);
  assertEquals(error.kind, "upstream_closed");
  await setup.close();
});

Deno.test("server/discover is answered from initialize (server/discover)", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.script = ({ message: { method, id } }) => {
    if (method !== "initialize") return undefined;
    const capabilities = { tools: { listChanged: true }, tasks: { list: {} }, logging: {} };
    const serverInfo = { name: "s", version: "2" };
    const result = { protocolVersion: "2025-06-18", capabilities, serverInfo, instructions: "Go." };
    return { ...server.json({ jsonrpc: "2.0", id, result }), sessionId: "up-1" };
  };
  assertEquals((await setup.ask("server/discover")).message, {
    jsonrpc: "2.0",
    id: 7,
    result: {
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: { listChanged: true }, logging: {} },
      instructions: "Go.",
      resultType: "complete",
      ttlMs: 0,
      cacheScope: "private",
      _meta: { [metaKey("serverInfo")]: { name: "s", version: "2" } },
    },
  });
  await setup.close();
});

Deno.test("a session declares what the client declares, without what modern clients cannot do", async () => {
  const setup = new ModernSetup();
  const capabilities = {
    sampling: { tools: {} },
    roots: { listChanged: true },
    tasks: {},
    extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html"] } },
  };
  await setup.ask("tools/list", {}, { capabilities });
  const { params } = setup.sent("initialize").message;
  assertEquals(params!.capabilities, {
    extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html"] } },
    roots: {},
    sampling: { tools: {} },
  });
  assertEquals(params!.clientInfo, { name: "t", version: "1" });
  assertEquals(params!.protocolVersion, "2025-11-25");
  await setup.close();
});

async function refusal(asked: Promise<unknown>) {
  const { kind, status, code, data } = await assertRejects(() => asked, ProxyError);
  return { kind, status, code, data };
}

Deno.test("an unsupported version is refused with 400 and -32022 (basic/versioning)", async () => {
  const setup = new ModernSetup();
  const meta = { [metaKey("protocolVersion")]: "2099-01-01" };
  assertEquals(await refusal(setup.post("tools/list", {}, { meta })), {
    kind: "unsupported_version",
    status: 400,
    code: -32022,
    data: { supported: ["2026-07-28"], requested: "2099-01-01" },
  });
  assertEquals(setup.server.calls.length, 0);
  await setup.close();
});

Deno.test("missing or malformed _meta is refused with 400 and -32602 (basic/index _meta)", async () => {
  const setup = new ModernSetup();
  const metas = [
    { [metaKey("clientCapabilities")]: undefined },
    { [metaKey("clientCapabilities")]: [] },
    { [metaKey("protocolVersion")]: undefined },
    { [metaKey("logLevel")]: "loud" },
    { [metaKey("clientCapabilities")]: { experimental: { x: "y".repeat(20_000) } } },
  ];
  for (const meta of metas) {
    const { status, code } = await refusal(setup.post("tools/list", {}, { meta }));
    assertEquals([status, code], [400, -32602], JSON.stringify(meta).slice(0, 80));
  }
  await setup.close();
});

Deno.test("methods that 2026-07-28 has removed are refused with 404 and -32601, and reach no session", async () => {
  const setup = new ModernSetup();
  for (const method of ["initialize", "ping", "logging/setLevel", "resources/subscribe"]) {
    const { status, code } = await refusal(setup.post(method));
    assertEquals([status, code], [404, -32601], method);
  }
  assertEquals(setup.server.calls.length, 0);
  await setup.close();
});

const ERRORS: readonly (readonly [given: object, status: number, told: object])[] = [
  [{ code: -32002, message: "x", data: { uri: "a" } }, 200, {
    code: -32602,
    message: "x",
    data: { uri: "a" },
  }],
  [{ code: -32601, message: "x" }, 404, { code: -32601, message: "x" }],
  [{ code: -32603, message: "x" }, 200, { code: -32603, message: "x" }],
  [{ code: -32000, message: "Client does not support sampling (required)" }, 400, {
    code: -32021,
    message: "The server needs a capability that this request does not declare.",
    data: { requiredCapabilities: { sampling: {} } },
  }],
  [{ code: -32603, message: "Client does not support form elicitation." }, 400, {
    code: -32021,
    message: "The server needs a capability that this request does not declare.",
    data: { requiredCapabilities: { elicitation: { form: {} } } },
  }],
  [
    { code: -32042, message: "x", data: { elicitations: [{ mode: "url", url: "https://a" }] } },
    400,
    {
      code: -32021,
      message: "The server needs a capability that this request does not declare.",
      data: { requiredCapabilities: { elicitation: { url: {} } } },
    },
  ],
];

Deno.test("R64 a 404 that answers the request by its id is no lost session: it is sent once", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.script = ({ message: { method, id } }) =>
    method === "tools/call"
      ? server.json({ jsonrpc: "2.0", id, error: { code: -32050, message: "Half done" } }, 404)
      : undefined;
  const { message } = await setup.ask("tools/call", { name: "t" });
  assertEquals(message.error, { code: -32050, message: "Half done" });
  assertEquals([server.of("tools/call").length, server.of("initialize").length], [1, 1]);
  await setup.close();
});

Deno.test("errors of the session era are told with the codes and statuses of 2026-07-28 (basic/index)", async () => {
  for (const httpStatus of [200, 400]) {
    for (const [given, status, told] of ERRORS) {
      const setup = new ModernSetup();
      const { server } = setup;
      server.script = ({ message: { method, id } }) =>
        method === "tools/call"
          ? server.json({ jsonrpc: "2.0", id, error: given }, httpStatus)
          : undefined;
      const answer = await setup.ask("tools/call", { name: "t" });
      assertEquals(answer.message, { jsonrpc: "2.0", id: 7, error: told } as never);
      assertEquals(answer.status, status === 200 ? httpStatus : status);
      await setup.close();
    }
  }
});

Deno.test("a capability that the client has declared is never said to be missing", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  const error = { code: -32603, message: "Client does not support sampling" };
  server.script = ({ message: { method, id } }) =>
    method === "tools/call" ? server.json({ jsonrpc: "2.0", id, error }) : undefined;
  const answer = await setup.ask("tools/call", { name: "t" }, { capabilities: { sampling: {} } });
  assertEquals(answer.message.error, error);
  await setup.close();
});

Deno.test("HTTP errors pass with their fields and body", async () => {
  for (const status of [401, 403, 429, 503]) {
    const setup = new ModernSetup();
    const { server } = setup;
    server.script = ({ message }) => {
      if (message.method !== "tools/list") return undefined;
      const answer = server.json({ error: "own" }, status);
      answer.headers.set("retry-after", "9");
      return answer;
    };
    const answer = await setup.post("tools/list");
    assertEquals(answer.status, status);
    assertEquals(answer.headers.get("retry-after"), "9");
    assertEquals(await share.textOf(answer.body), '{"error":"own"}');
    await setup.close();
  }
});

Deno.test("an error of the modern era makes the server's era doubtful", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  const error = { code: -32022, message: "x", data: { supported: ["2026-07-28"], requested: "" } };
  server.script = ({ message: { method, id } }) =>
    method === "tools/list" ? server.json({ jsonrpc: "2.0", id, error }, 400) : undefined;
  assertEquals((await setup.ask("tools/list")).status, 502);
  assertEquals(setup.doubts, 1);
  await setup.close();
});

Deno.test("unknown methods and parameters pass", async () => {
  const setup = new ModernSetup();
  await setup.ask("acme/do", { a: { b: [1] }, cursor: "c" });
  assertEquals(setup.sent("acme/do").message.params, { a: { b: [1] }, cursor: "c" });
  await setup.close();
});

Deno.test("a notification is accepted and ends here; GET and DELETE are 405 (streamable-http)", async () => {
  const setup = new ModernSetup();
  const { bridge, server } = setup;
  const text = '{"jsonrpc":"2.0","method":"notifications/cancelled"}';
  const call = setup.call({});
  assertEquals((await bridge.notify(call, new TextEncoder().encode(text))).status, 202);
  assertEquals((await bridge.listen(call)).status, 405);
  assertEquals((await bridge.terminate(call)).status, 405);
  assertEquals(server.calls.length, 0);
  assertEquals(bridge.stats().dropped, { "notifications/cancelled": 1 });
  await setup.close();
});

Deno.test("a message over the limit is an error, as JSON and as an event (R42)", async () => {
  for (const kind of ["json", "sse", "error"]) {
    const setup = new ModernSetup({ maxEventBytes: 2_000 });
    const { server } = setup;
    server.script = ({ message: { method, id } }) => {
      if (method !== "tools/call") return undefined;
      const message = { jsonrpc: "2.0", id, result: { x: "y".repeat(3_000) } };
      if (kind === "json") return server.json(message);
      if (kind === "error") return server.json(message, 500);
      const { answer, filled } = server.events();
      filled.send(share.eventOf(message));
      return answer;
    };
    const { kind: found } = await refusal(setup.ask("tools/call", { name: "t" }));
    assertEquals(found, "upstream_protocol");
    await setup.close();
  }
});

Deno.test("R97 the id of the bridge's own session goes with no answer, a refusal of the server's included", async () => {
  const setup = new ModernSetup();
  const { server } = setup;
  server.script = ({ message: { method, id } }) => {
    const refusal = { jsonrpc: "2.0", id, error: { code: -32602, message: "no" } };
    return method === "tools/call"
      ? { ...server.json(refusal, 400), sessionId: "up-1" }
      : undefined;
  };
  for (const method of ["tools/call", "tools/list", "server/discover"]) {
    const { sessionId, body } = await setup.post(method, { name: "t" });
    assertEquals(sessionId, undefined, method);
    await share.textOf(body);
  }
  await setup.close();
});
