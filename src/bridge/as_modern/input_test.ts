import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import * as modern from "../../testing/as_modern.ts";
import * as relay from "../../testing/relay.ts";
import * as share from "../../testing/share.ts";

const { ANONYMOUS, ASKED, asking, CAN, FORM, modernMessages } = modern;
const { eventOf } = share;
const { settled } = relay;

Deno.test("a question ends the request as input_required, and the retry goes on with the same upstream stream (basic/patterns/mrtr)", async () => {
  const { setup, server, ask, question, answer, answers } = asking();
  const { result } = await ask(() => question("e-1"), {}, { id: 1 });
  assertEquals(result!.resultType, "input_required");
  assertEquals(result!.inputRequests, { q1: { method: "elicitation/create", params: FORM } });
  assertEquals(setup.bridge.stats().held, 1);
  const { requestState } = result!;
  const text = `{"action":"accept","content":{"n":12345678901234567890}}`;
  const retried = setup.raw(
    JSON.stringify({
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: {
        name: "t",
        inputResponses: { q1: "HERE" },
        requestState,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": CAN,
        },
      },
    }).replace('"HERE"', text),
    ASKED,
  );
  await settled();
  assertEquals(answers().map(({ text }) => text), [
    `{"jsonrpc":"2.0","id":"e-1","result":${text}}`,
  ]);
  assertEquals(answers()[0]!.call.sessionId, "s-1");
  answer({ done: true });
  const message = JSON.parse(await share.textOf((await retried).body));
  assertEquals([message.id, message.result.done, message.result.resultType], [2, true, "complete"]);
  assertEquals(server.of("tools/call").length, 1);
  assertEquals(setup.bridge.stats().held, 0);
  await setup.close();
});

Deno.test("questions that come together are asked together, and further ones in further rounds", async () => {
  const { setup, streams, ask, question, answers } = asking();
  const first = await ask(() => {
    const one = eventOf({ jsonrpc: "2.0", id: 1, method: "elicitation/create", params: FORM });
    const two = eventOf({ jsonrpc: "2.0", id: 2, method: "roots/list" });
    streams[0]!.send(one + two);
  });
  assertEquals(first.result!.inputRequests, {
    q1: { method: "elicitation/create", params: FORM },
    q2: { method: "roots/list" },
  });
  const inputResponses = { q1: { action: "decline" }, q2: { roots: [] } };
  const sampling = { messages: [], maxTokens: 1 };
  const second = await ask(
    () => question(3, "sampling/createMessage", sampling),
    { inputResponses, requestState: first.result!.requestState },
    { id: 8 },
  );
  assertEquals(answers().map(({ message }) => [message.id, message.result]), [
    [1, { action: "decline" }],
    [2, { roots: [] }],
  ]);
  assertEquals(second.id, 8);
  assertEquals(second.result!.inputRequests, {
    q3: { method: "sampling/createMessage", params: sampling },
  });
  await setup.close();
});

Deno.test("what a retry leaves out is asked again, and what nobody asked is ignored (mrtr, Error Handling)", async () => {
  const { setup, streams, ask, answers } = asking();
  const first = await ask(() => {
    const one = eventOf({ jsonrpc: "2.0", id: 1, method: "elicitation/create", params: FORM });
    const two = eventOf({ jsonrpc: "2.0", id: 2, method: "roots/list" });
    streams[0]!.send(one + two);
  });
  const inputResponses = { q2: { roots: [] }, other: {} };
  const { requestState } = first.result!;
  const second = await ask(() => {}, { inputResponses, requestState });
  assertEquals(answers().map(({ message }) => message.id), [2]);
  assertEquals(Object.keys(second.result!.inputRequests!), ["q1"]);
  assert(second.result!.requestState !== requestState);
  await setup.close();
});

Deno.test("basic/patterns/mrtr: a retry is told of progress under its own token, of that from before it too", async () => {
  const { setup, server, ask, question, say, answer } = asking();
  const first = await ask(() => question(1), {}, { meta: { progressToken: 1 } });
  const token = server.of("tools/call")[0]!.message.params!._meta!.progressToken;
  const progress = (n: number) =>
    say({ method: "notifications/progress", params: { progressToken: token, progress: n } });
  progress(1);
  await settled();
  const retried = setup.post("tools/call", {
    name: "t",
    inputResponses: { q1: { action: "accept" } },
    requestState: first.result!.requestState,
  }, { ...ASKED, meta: { progressToken: 2 } });
  await settled();
  progress(2);
  answer();
  const reader = relay.sourceReader((await retried).body);
  await reader.readAll();
  const messages = modernMessages(reader);
  assertEquals(messages.map(({ params }) => params?.progress), [1, 2, undefined]);
  assertEquals(messages.map(({ params }) => params?.progressToken), [2, 2, undefined]);
  await setup.close();
});

Deno.test("requestState is refused for another principal, another request, changed, used, and in a new run", async () => {
  const { setup, ask, question, answer } = asking();
  const other = asking();
  const { result } = await ask(() => question(1), { arguments: { n: 1 } });
  const requestState = result!.requestState!;
  const inputResponses = { q1: { action: "accept" } };
  const retry = { name: "t", arguments: { n: 1 }, inputResponses, requestState };
  const flipped = requestState.replace(/.$/, (last) => last === "A" ? "B" : "A");
  const wrong: [object, modern.Asking][] = [
    [retry, { principal: "q" }],
    [{ ...retry, name: "u" }, {}],
    [{ ...retry, arguments: { n: 2 } }, {}],
    [{ ...retry, requestState: flipped }, {}],
    [{ ...retry, requestState: "" }, {}],
    [{ ...retry, requestState: 1 }, {}],
    [{ ...retry, inputResponses: [] }, {}],
    [{ ...retry, inputResponses: { q1: 1 } }, {}],
  ];
  const refused = async (on: typeof setup, params: object, asking: modern.Asking) => {
    const more = { ...ASKED, ...asking };
    const asked = () => on.ask("tools/call", params as Record<string, unknown>, more);
    const { status, code, message } = await assertRejects(asked, ProxyError);
    assertEquals([status, code], [400, -32602], JSON.stringify(params));
    return message;
  };
  for (const [params, asking] of wrong) await refused(setup, params, asking);
  assertStringIncludes(await refused(other.setup, retry, {}), "expired");
  assertEquals(setup.bridge.stats().held, 1);
  // Members in another order and other spaces are the same request all the same.
  const good = setup.ask("tools/call", {
    requestState,
    inputResponses,
    arguments: { n: 1 },
    name: "t",
  }, ASKED);
  await settled();
  answer();
  assertEquals((await good).message.result!.resultType, "complete");
  assertStringIncludes(await refused(setup, retry, {}), "used");
  await setup.close();
  await other.setup.close();
});

Deno.test("numbers that JavaScript cannot tell apart make another request", async () => {
  const { setup, ask, question } = asking();
  const { result } = await ask(() => question(1), { arguments: { n: "BIG" } });
  assert(result!.requestState);
  const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
    `"io.modelcontextprotocol/clientCapabilities":${JSON.stringify(CAN)}}`;
  const post = (n: string, more = "") =>
    setup.raw(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"n":${n}},${more}${meta}}}`,
    );
  const first = post("9007199254740993");
  await settled();
  question(2, undefined, undefined, 1);
  const { result: { requestState } } = JSON.parse(await share.textOf((await first).body));
  const more = `"inputResponses":{"q1":{}},"requestState":"${requestState}",`;
  await assertRejects(() => post("9007199254740992", more), ProxyError, "was not given");
  await setup.close();
});

Deno.test("a client that declared nothing is never asked: its session does not say so, and the server is refused", async () => {
  const { setup, ask, question, answer, answers } = asking();
  const { result } = await ask(
    () => {
      question(1);
      answer();
    },
    {},
    { capabilities: { sampling: {} } },
  );
  assertEquals(result!.resultType, "complete");
  assertEquals(setup.sent("initialize").message.params!.capabilities, { sampling: {} });
  assertEquals(answers()[0]!.message.error!.code, -32601);
  await setup.close();
});

Deno.test("no other request than those of the table is answered with questions (mrtr, Supported Requests)", async () => {
  const { setup, server, question, say, answers } = asking();
  const asked = setup.ask("completion/complete", {}, ASKED);
  await settled();
  question(1);
  say({ id: server.of("completion/complete")[0]!.message.id, result: {} });
  assertEquals((await asked).message.result!.resultType, "complete");
  assertEquals(answers()[0]!.message.error!.code, -32601);
  await setup.close();
});

Deno.test("the server's ping is answered by the bridge, also while the client is asked", async () => {
  const { setup, ask, question, say, answers } = asking();
  await ask(() => question(1));
  say({ id: "p", method: "ping" });
  await settled();
  assertEquals(answers().map(({ message }) => [message.id, message.result]), [["p", {}]]);
  await setup.close();
});

Deno.test("an answer that comes while the client is asked is there when it comes back", async () => {
  const { setup, ask, question, answer, answers } = asking();
  const { result } = await ask(() => question(1));
  answer({ early: true });
  await settled();
  const retry = { inputResponses: { q1: {} }, requestState: result!.requestState };
  const { result: done } = await ask(() => {}, retry);
  assertEquals(done!.early, true);
  assertEquals(answers(), []);
  await setup.close();
});

Deno.test("a question that the server withdraws is not asked any more", async () => {
  const { setup, ask, question, say, answer, answers } = asking();
  const { result } = await ask(() => question(1));
  say({ method: "notifications/cancelled", params: { requestId: 1 } });
  await settled();
  const retry = { inputResponses: { q1: {} }, requestState: result!.requestState };
  const { result: done } = await ask(() => answer(), retry);
  assertEquals(done!.resultType, "complete");
  assertEquals(answers(), []);
  await setup.close();
});

Deno.test("a client that does not come back in time: the question is refused, the request cancelled", async () => {
  const { setup, server, ask, question, streams, answers } = asking({ bounds: { holdMs: 1_000 } });
  const { result } = await ask(() => question(1));
  server.clock.advance(1_000);
  await settled();
  assert(streams[0]!.aborted);
  assertEquals(answers()[0]!.message.error!.message, "The client has not answered in time.");
  const { requestId } = setup.sent("notifications/cancelled").message.params!;
  assertEquals(requestId, server.of("tools/call")[0]!.message.id);
  const retry = { name: "t", inputResponses: { q1: {} }, requestState: result!.requestState };
  await assertRejects(() => setup.ask("tools/call", retry, ASKED), ProxyError, "expired");
  await setup.close();
});

Deno.test("so many requests are held for one principal, and so many in all", async () => {
  const { setup, ask, question, answers } = asking({ bounds: { maxHeld: 2, maxPrincipalHeld: 1 } });
  await ask(() => question(1));
  const refused = async (principal: string, at: number) => {
    const asked = ask(() => question(at, undefined, undefined, at), {}, { principal });
    return (await assertRejects(() => asked, ProxyError)).kind;
  };
  assertEquals(await refused("p", 1), "principal_exhausted");
  await ask(() => question(2, undefined, undefined, 2), {}, { principal: "q" });
  assertEquals(await refused("r", 3), "upstream_saturated");
  assertEquals(setup.bridge.stats().held, 2);
  // Whoever cannot be held is cancelled, and the server is told.
  assertEquals(answers().map(({ message }) => message.id), [1, 3]);
  assertEquals(setup.server.of("notifications/cancelled").length, 2);
  await setup.close();
});

Deno.test("one request has so many questions open", async () => {
  const { setup, streams, ask, answers } = asking({ bounds: { maxQuestions: 1 } });
  await ask(() =>
    streams[0]!.send(
      eventOf({ jsonrpc: "2.0", id: 1, method: "roots/list" }) +
        eventOf({ jsonrpc: "2.0", id: 2, method: "roots/list" }),
    )
  );
  await settled();
  assertEquals(answers().map(({ message }) => [message.id, message.error!.code]), [[2, -31503]]);
  await setup.close();
});

Deno.test("what is said while a client is asked is kept up to a bound, then the server is read no further (R49)", async () => {
  const bounds = { maxHeldCharacters: 500 };
  const { setup, ask, question, say, streams } = asking({ bounds });
  await ask(() => question(1));
  for (let n = 0; n < 20; n++) {
    say({ method: "notifications/acme", params: { n, x: "y".repeat(10_000) } });
    await settled();
  }
  assert(streams[0]!.paused);
  await setup.close();
});

Deno.test("-32042 becomes a question in URL mode, and the retry repeats the call in the same session", async () => {
  const { setup, server, ask, say, answer } = asking();
  const url = { mode: "url", message: "m", url: "https://a.example/x" };
  const elicitations = [{ ...url, elicitationId: "e" }];
  const first = await ask(
    () => {
      const { id } = server.of("tools/call")[0]!.message;
      say({ id, error: { code: -32042, message: "x", data: { elicitations } } });
    },
    {},
    { principal: ANONYMOUS },
  );
  assertEquals(first.result!.inputRequests, { q1: { method: "elicitation/create", params: url } });
  const retry = {
    inputResponses: { q1: { action: "accept" } },
    requestState: first.result!.requestState,
  };
  const params = { elicitationId: "e" };
  server.say({ jsonrpc: "2.0", method: "notifications/elicitation/complete", params });
  await settled();
  const again = await ask(() => answer({ done: 1 }, 1), retry, { principal: ANONYMOUS, id: 9 });
  assertEquals([again.id, again.result!.done], [9, 1]);
  const calls = server.of("tools/call");
  assertEquals(calls.length, 2);
  assertEquals(calls[0]!.call.sessionId, calls[1]!.call.sessionId);
  assert(calls[0]!.message.id !== calls[1]!.message.id);
  assertEquals(calls[1]!.text.includes("inputResponses"), false);
  await setup.close();
});

Deno.test("-32042 in an HTTP error does the same", async () => {
  const { setup, server } = asking();
  const elicitations = [{ mode: "url", message: "m", url: "https://a", elicitationId: "e" }];
  const error = { code: -32042, message: "x", data: { elicitations } };
  setup.numbered(({ message: { method, id } }) =>
    method === "tools/call" ? server.json({ jsonrpc: "2.0", id, error }, 400) : undefined
  );
  const { status, message } = await setup.ask("tools/call", { name: "t" }, ASKED);
  assertEquals([status, message.result!.resultType], [200, "input_required"]);
  await setup.close();
});

Deno.test("a question on the session's own stream belongs to the one request in flight", async () => {
  const { setup, server, ask, answer, answers } = asking();
  const first = await ask(() =>
    server.say({ jsonrpc: "2.0", id: "g", method: "elicitation/create", params: FORM })
  );
  const retry = { inputResponses: { q1: {} }, requestState: first.result!.requestState };
  const done = await ask(() => answer(), retry);
  assertEquals(done.result!.resultType, "complete");
  assertEquals(answers().map(({ message }) => message.id), ["g"]);
  await setup.close();
});

Deno.test("a question on the session's own stream is refused where it may belong to several requests, or none", async () => {
  const { setup, server, answers, answer } = asking();
  const asked = [1, 2].map((id) => setup.ask("tools/call", { name: "t" }, { ...ASKED, id }));
  await settled();
  server.say({ jsonrpc: "2.0", id: "g", method: "elicitation/create", params: FORM });
  await settled();
  assertEquals(answers()[0]!.message.error!.code, -32601);
  answer({}, 0);
  answer({}, 1);
  await Promise.all(asked);
  server.say({ jsonrpc: "2.0", id: "h", method: "roots/list" });
  server.say({ jsonrpc: "2.0", id: "p", method: "ping" });
  await settled();
  assertEquals(answers().slice(1).map(({ message }) => [message.id, message.error?.code]), [
    ["h", -32601],
    ["p", undefined],
  ]);
  await setup.close();
});

Deno.test("of several requests on a session's own stream one alone can be asked, and it is asked", async () => {
  const { setup, server, answer } = asking();
  const listing = Promise.withResolvers<ReturnType<typeof server.json>>();
  const { script } = server;
  server.script = (call) => call.message.method === "tools/list" ? listing.promise : script(call);
  const listed = setup.ask("tools/list", {}, ASKED);
  const asked = setup.ask("tools/call", { name: "t" }, ASKED);
  await settled();
  server.say({ jsonrpc: "2.0", id: "g", method: "roots/list" });
  assertEquals((await asked).message.result!.resultType, "input_required");
  // A further request does not keep the server from withdrawing what it has asked for the first.
  const other = setup.ask("tools/call", { name: "u" }, ASKED);
  await settled();
  server.say({
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId: "g" },
  });
  await settled();
  const { requestState } = (await asked).message.result!;
  const retried = setup.ask("tools/call", { name: "t", requestState }, ASKED);
  await settled();
  answer({}, 0);
  answer({}, 1);
  assertEquals((await retried).message.result!.resultType, "complete");
  await other;
  const { id } = setup.sent("tools/list").message;
  listing.resolve(server.json({ jsonrpc: "2.0", id, result: {} }));
  await listed;
  await setup.close();
});

Deno.test("a server that does not take the answers any more: the retry says so", async () => {
  const { setup, server, ask, question } = asking();
  const { result } = await ask(() => question(1));
  const script = server.script;
  server.script = (call) =>
    call.kind === "notify" && "result" in call.message ? server.json({}, 404) : script(call);
  const retry = { name: "t", inputResponses: { q1: {} }, requestState: result!.requestState };
  const asked = () => setup.ask("tools/call", retry, ASKED);
  assertEquals((await assertRejects(asked, ProxyError)).kind, "upstream_closed");
  await setup.close();
});

Deno.test("a stream that breaks while the client is asked: the retry says so", async () => {
  const { setup, ask, question, streams } = asking();
  const { result } = await ask(() => question(1));
  streams[0]!.body.finish();
  await settled();
  const retry = { name: "t", inputResponses: { q1: {} }, requestState: result!.requestState };
  const asked = () => setup.ask("tools/call", retry, ASKED);
  assertEquals((await assertRejects(asked, ProxyError)).kind, "upstream_closed");
  await setup.close();
});
