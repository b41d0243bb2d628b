import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import * as modern from "../../testing/as_modern.ts";
import * as relay from "../../testing/relay.ts";
import * as share from "../../testing/share.ts";

const { ANONYMOUS, ASKED, asking, FORM } = modern;
const { eventOf } = share;
const { settled } = relay;

/** What goes on with a request that was answered with questions. */
function retryOf({ result }: modern.ModernRpc, inputResponses: object = { q1: {} }) {
  return { inputResponses, requestState: result!.requestState };
}

const ACCEPTED = { q1: { action: "accept" } };

Deno.test("a question that the server sends twice is one", async () => {
  const { setup, streams, ask } = asking();
  const question = { jsonrpc: "2.0", id: 1, method: "elicitation/create", params: FORM };
  const { result } = await ask(() => streams[0]!.send(eventOf(question) + eventOf(question)));
  assertEquals(Object.keys(result!.inputRequests!), ["q1"]);
  await setup.close();
});

Deno.test("inputResponses that are no object are refused and use nothing up", async () => {
  const { setup, ask, question, answer } = asking();
  const first = await ask(() => question(1));
  for (const inputResponses of [null, "x", 1, []]) {
    const params = { name: "t", ...retryOf(first), inputResponses };
    const error = await assertRejects(() => setup.ask("tools/call", params, ASKED), ProxyError);
    assertEquals(error.code, -32602);
  }
  const done = await ask(() => answer(), retryOf(first));
  assertEquals(done.result!.resultType, "complete");
  await setup.close();
});

Deno.test("-32042 that names nothing to be opened is the server's fault", async () => {
  for (const elicitations of [undefined, [], [{ mode: "form" }], [{ mode: "url" }]]) {
    const { setup, server, say } = asking();
    const asked = setup.ask("tools/call", { name: "t" }, ASKED);
    await settled();
    const { id } = server.of("tools/call")[0]!.message;
    say({ id, error: { code: -32042, message: "x", data: { elicitations } } });
    const { status, message } = await asked;
    assertEquals([status, message.error!.code], [502, -31502]);
    await setup.close();
  }
});

Deno.test("an anonymous caller with other credentials is another caller", async () => {
  const { setup, ask, question, answer } = asking();
  const mine = { principal: ANONYMOUS, headers: { authorization: "Bearer a" } };
  const other = { principal: ANONYMOUS, headers: { authorization: "Bearer b" } };
  const first = await ask(() => question(1), {}, mine);
  const stolen = ask(() => {}, retryOf(first), other);
  await assertRejects(() => stolen, ProxyError, "was not given");
  const done = await ask(() => answer(), retryOf(first), mine);
  assertEquals(done.result!.resultType, "complete");
  await setup.close();
});

Deno.test("a principal that the proxy knows may come back with a fresh token", async () => {
  const { setup, ask, question, answer } = asking();
  const first = await ask(() => question(1), {}, { headers: { authorization: "Bearer a" } });
  const done = await ask(() => answer(), retryOf(first), {
    headers: { authorization: "Bearer b" },
  });
  assertEquals(done.result!.resultType, "complete");
  await setup.close();
});

Deno.test("a client that leaves with its retry cancels the request", async () => {
  const { setup, server, ask, question, answers } = asking();
  const first = await ask(() => question(1));
  const gone = new AbortController();
  gone.abort();
  const retried = ask(() => {}, retryOf(first), { signal: gone.signal });
  assertEquals((await assertRejects(() => retried, ProxyError)).kind, "client_closed");
  await settled();
  assertEquals(server.of("notifications/cancelled").length, 1);
  assertEquals(answers().map(({ message }) => message.result), [undefined]);
  await setup.close();
});

Deno.test("requestState means nothing on requests during which nobody is asked", async () => {
  const { setup } = asking();
  const { message } = await setup.ask("tools/list", { requestState: "x", cursor: "c" }, ASKED);
  assertEquals(message.result!.resultType, "complete");
  assertEquals(setup.sent("tools/list").message.params, { cursor: "c" });
  await setup.close();
});

Deno.test("a call that is repeated behind -32042 asks its own questions alone", async () => {
  const { setup, server, ask, say, question } = asking();
  const elicitations = [{ mode: "url", message: "m", url: "https://a" }];
  const first = await ask(() => {
    const { id } = server.of("tools/call")[0]!.message;
    say({ id, error: { code: -32042, message: "x", data: { elicitations } } });
  });
  const second = await ask(() => question(1, undefined, undefined, 1), retryOf(first, ACCEPTED));
  assertEquals(second.result!.inputRequests, {
    q2: { method: "elicitation/create", params: FORM },
  });
  await setup.close();
});

Deno.test("anonymous callers are bounded together alone", async () => {
  const { setup, ask, question } = asking({ bounds: { maxHeld: 2, maxPrincipalHeld: 1 } });
  for (const at of [0, 1]) {
    await ask(() => question(1, undefined, undefined, at), {}, { principal: ANONYMOUS });
  }
  const third = ask(() => question(1, undefined, undefined, 2), {}, { principal: ANONYMOUS });
  assertEquals((await assertRejects(() => third, ProxyError)).kind, "upstream_saturated");
  await setup.close();
});

Deno.test("the time to come back does not end a request whose client has come back", async () => {
  const { setup, server, ask, question, answer } = asking({ bounds: { holdMs: 1_000 } });
  const first = await ask(() => question(1));
  const done = await ask(() => {
    server.clock.advance(2_000);
    answer();
  }, retryOf(first));
  assertEquals(done.result!.resultType, "complete");
  assertEquals(server.of("notifications/cancelled"), []);
  await setup.close();
});

Deno.test("when the bridge closes what is held is cancelled at the server", async () => {
  const { setup, server, ask, question, streams, answers } = asking();
  await ask(() => question(1));
  await setup.close();
  assertEquals(answers()[0]!.message.error!.code, -32601);
  assertEquals(server.of("notifications/cancelled").length, 1);
  assert(streams[0]!.aborted);
  assertEquals(server.clock.timers, 0);
});

Deno.test("what was held back of the server's words comes with the retry, however much it is", async () => {
  const { setup, ask, question, say, answer } = asking({ bounds: { maxHeldCharacters: 100 } });
  const first = await ask(() => question(1));
  for (const n of [1, 2, 3]) {
    say({ method: "notifications/acme", params: { n, x: "y".repeat(200) } });
    await settled();
  }
  const params = { name: "t", ...retryOf(first) };
  const asked = setup.post("tools/call", params, ASKED);
  await settled();
  answer();
  const reader = relay.sourceReader((await asked).body);
  await reader.readAll();
  assertEquals(modern.modernMessages(reader).map(({ params }) => params?.n), [1, 2, 3, undefined]);
  await setup.close();
});

Deno.test("answers for a request that has ended meanwhile are not sent", async () => {
  const { setup, server, streams, ask, answer, answers } = asking();
  const first = await ask(() =>
    streams[0]!.send(
      eventOf({ jsonrpc: "2.0", id: 1, method: "roots/list" }) +
        eventOf({ jsonrpc: "2.0", id: 2, method: "roots/list" }),
    )
  );
  const { script } = server;
  server.script = async (call) => {
    if (!("result" in call.message)) return await script(call) ?? server.json(undefined, 202);
    answer();
    await settled();
    return server.json(undefined, 202);
  };
  const retry = { name: "t", ...retryOf(first, { q1: { roots: [] }, q2: { roots: [] } }) };
  const { message } = await setup.ask("tools/call", retry, ASKED);
  await settled();
  assertEquals(message.result!.resultType, "complete");
  assertEquals(answers().map(({ message }) => message.id), [1]);
  await setup.close();
});

Deno.test("a response that comes together with a question wins, and the question is refused", async () => {
  const { setup, server, streams, ask, answers } = asking();
  const { result } = await ask(() => {
    const { id } = server.of("tools/call")[0]!.message;
    streams[0]!.send(
      eventOf({ jsonrpc: "2.0", id: 1, method: "roots/list" }) +
        eventOf({ jsonrpc: "2.0", id, result: {} }),
    );
  });
  assertEquals(result!.resultType, "complete");
  await settled();
  assertEquals(answers().map(({ message }) => message.error!.message), ["The request is over."]);
  await setup.close();
});

Deno.test("a request that is over at the server, or not there, is not cancelled there when nobody comes back", async () => {
  const elicitations = [{ mode: "url", message: "m", url: "https://a", elicitationId: "e" }];
  for (const kind of ["answered", "repeats"]) {
    const { setup, server, ask, question, say, answer } = asking({ bounds: { holdMs: 1_000 } });
    await ask(() => {
      const { id } = server.of("tools/call")[0]!.message;
      if (kind === "answered") question(1);
      else say({ id, error: { code: -32042, message: "x", data: { elicitations } } });
    });
    if (kind === "answered") answer();
    await settled();
    server.clock.advance(1_000);
    await settled();
    assertEquals(server.of("notifications/cancelled"), []);
    assertEquals(setup.bridge.stats(), { ...setup.bridge.stats(), held: 0, inFlight: 0 });
    await setup.close();
  }
});

Deno.test("a request that has not gone up is not cancelled at the server", async () => {
  const { setup, server } = asking();
  server.capabilities = { logging: {} };
  const level = Promise.withResolvers<ReturnType<typeof server.json>>();
  setup.numbered(({ message: { method } }) =>
    method === "logging/setLevel" ? level.promise : undefined
  );
  const gone = new AbortController();
  const asked = setup.post("tools/call", { name: "t" }, {
    signal: gone.signal,
    meta: { [modern.metaKey("logLevel")]: "info" },
  });
  await settled();
  gone.abort();
  await assertRejects(() => asked, ProxyError);
  level.resolve(server.json({ jsonrpc: "2.0", id: null, error: { code: 1, message: "" } }));
  await settled();
  assertEquals([server.of("notifications/cancelled"), server.of("tools/call")], [[], []]);
  assertEquals(setup.bridge.stats().dropped, {});
  await setup.close();
});

Deno.test("that an elicitation is complete, and how a task does, is told to nobody: 2026-07-28 has neither", async () => {
  const { setup, say, answer } = asking();
  const asked = setup.post("tools/call", { name: "t" }, ASKED);
  await settled();
  say({ method: "notifications/elicitation/complete", params: { elicitationId: "e" } });
  say({ method: "notifications/tasks/status", params: { taskId: "t", status: "working" } });
  answer();
  assertEquals((await asked).kind, "json");
  await setup.close();
});

Deno.test("R49 what a server says of a held request on its GET stream is kept up to a bound, and the rest dropped", async () => {
  const { setup, server, ask, question, answer } = asking({ bounds: { maxHeldCharacters: 1_000 } });
  const more = { ...ASKED, meta: { progressToken: "t" } };
  const first = await ask(() => question(1), {}, more);
  const { progressToken } = setup.sent("tools/call").message.params!._meta as Record<
    string,
    unknown
  >;
  const progress = { progressToken, progress: 1, message: "x".repeat(400) };
  for (let n = 0; n < 100; n++) {
    server.say({ jsonrpc: "2.0", method: "notifications/progress", params: progress });
  }
  await settled();
  const asked = setup.post("tools/call", { name: "t", ...retryOf(first) }, more);
  await settled();
  answer();
  const reader = relay.sourceReader((await asked).body);
  await reader.readAll();
  const told = modern.modernMessages(reader).filter(({ method }) => method !== undefined);
  const dropped = setup.bridge.stats().dropped["(client too slow)"] ?? 0;
  assertEquals([told.length < 5, told.length + dropped], [true, 100]);
  await setup.close();
});

Deno.test("R49 a client that does not read is not told on what a server says of its request on its GET stream", async () => {
  const { setup, server, streams, answer } = asking();
  const more = { ...ASKED, meta: { progressToken: "t" } };
  const posted = setup.post("tools/call", { name: "t" }, more);
  await settled();
  const { progressToken } = setup.sent("tools/call").message.params!._meta as Record<
    string,
    unknown
  >;
  const params = { progressToken, progress: 1, message: "x".repeat(1_000) };
  for (let n = 0; n < 1_000; n++) {
    server.say({ jsonrpc: "2.0", method: "notifications/progress", params });
  }
  await settled();
  const { body } = await posted;
  assertEquals(streams.length, 1);
  assert(setup.bridge.stats().dropped["(client too slow)"]! > 900);
  const reader = relay.sourceReader(body);
  await reader.readAll();
  answer();
  await settled();
  await reader.readAll();
  assertEquals(modern.modernMessages(reader).at(-1)?.id, 7);
  await setup.close();
});

Deno.test("R61 a server may be silent after an answer too, in the stream that it has begun", async () => {
  const { setup, server, ask, question, answer } = asking({ firstMessageMs: 1_000 });
  const first = await ask(() => question(1));
  const asked = setup.post("tools/call", { name: "t", ...retryOf(first) }, ASKED);
  await settled();
  server.clock.advance(1_000);
  const { kind, body } = await asked;
  answer();
  const reader = relay.sourceReader(body);
  await reader.readAll();
  assertEquals([kind, modern.modernMessages(reader).map(({ id }) => id)], ["sse", [7]]);
  await setup.close();
});

Deno.test("numbers in what -32042 names, and in declared capabilities, stay as they were written", async () => {
  const { setup, server } = asking();
  const { script } = server;
  const url = '{"mode":"url","url":"https://a.example","message":"m","x":12345678901234567890}';
  server.script = (call) => {
    if (call.message.method !== "tools/call") return script(call);
    const data = `{"elicitations":[ ${url} ,${url}]}`;
    return server.json(
      `{"jsonrpc":"2.0","id":${call.message.id},"error":{"code":-32042,"message":"m","data":${data}}}`,
    );
  };
  const meta = (capabilities: string) =>
    `"_meta":{"${modern.metaKey("protocolVersion")}":"2026-07-28",` +
    `"${modern.metaKey("clientCapabilities")}":${capabilities}}`;
  const send = async (capabilities: string) => {
    const params = `{"name":"t",${meta(capabilities)}}`;
    const { body } = await setup.raw(
      `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":${params}}`,
    );
    return await share.textOf(body);
  };
  const declared = '{"elicitation":{"url":{}},"experimental":{"n":1.0,"m":12345678901234567890}}';
  const text = await send(declared);
  assertEquals(text.split('"x":12345678901234567890').length, 3);
  assert(setup.sent("initialize").text!.includes(`"capabilities":${declared},`));
  // Whatever their order.
  await send('{"experimental":{"m":12345678901234567890,"n":1.0},"elicitation":{"url":{}}}');
  assertEquals(server.of("initialize").length, 1);
  await setup.close();
});
