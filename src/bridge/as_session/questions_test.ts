import { assert, assertEquals } from "@std/assert";
import { ModernFake, type ModernFakeOptions } from "../../testing/bridge.ts";
import { settled, type SourceReader } from "../../testing/relay.ts";
import {
  type FakeCall,
  messagesIn,
  type Rpc,
  type SharedClient,
  textOf,
} from "../../testing/share.ts";
import type { SessionBridge } from "../mod.ts";

type Client = SharedClient<SessionBridge>;

const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const FORM = {
  method: "elicitation/create",
  params: { mode: "form", message: "Name?", requestedSchema: { type: "object", properties: {} } },
};
const CALL = {
  jsonrpc: "2.0",
  id: 7,
  method: "tools/call",
  params: { name: "t", arguments: { n: 1 } },
};

/** A server that asks `rounds` in turn, and then answers. */
function asking(rounds: unknown[], options: ModernFakeOptions = {}): ModernFake {
  const fake = new ModernFake(options);
  fake.answers["tools/list"] = () => ({ tools: [] });
  fake.answers["tools/call"] = () => {
    const round = rounds.shift();
    return round === undefined
      ? { resultType: "complete", content: ["done"] }
      : { resultType: "input_required", ...round };
  };
  return fake;
}

/** Calls the tool and reads what comes first. */
async function call(client: Client, message: unknown = CALL): Promise<SourceReader> {
  const reader = await client.streamed(message);
  await reader.readAll();
  return reader;
}

async function answer(client: Client, id: unknown, result: unknown): Promise<void> {
  const told = await client.notify({ jsonrpc: "2.0", id, ...result as object });
  assertEquals(told.status, 202);
  await settled();
}

function last(reader: SourceReader): Rpc {
  return messagesIn(reader).at(-1)!;
}

/** What is different from one time a request is sent to the next. */
function changes({ message: { id, params } }: FakeCall): unknown {
  const { inputResponses, requestState, name } = params!;
  return { id, inputResponses, requestState, name };
}

Deno.test("mrtr: input_required becomes a request on the client's stream, and its answer goes up in a retry", async () => {
  const state = '"a\\u0062\\/c"';
  const fake = asking([]);
  let asked = 0;
  fake.answers["tools/call"] = ({ message: { id } }) =>
    fake.server.json(
      asked++ === 0
        ? `{"jsonrpc":"2.0","id":${id},"result":{"resultType":"input_required","requestState": ${state} ,"inputRequests":{"who":{"method":"elicitation/create","params":{"message":"Name?","n":1.0}}}}}`
        : `{"jsonrpc":"2.0","id":${id},"result":{"resultType":"complete","content":[]}}`,
    );
  const client = await fake.join({ capabilities: ALL });
  const reader = await call(client);
  const { id, ...question } = last(reader);
  assertEquals(
    question,
    { jsonrpc: "2.0", method: "elicitation/create", params: { message: "Name?", n: 1 } } as Rpc,
  );
  // As it was written: the number too.
  assert(reader.events.at(-1)!.data!.includes('{"message":"Name?","n":1.0}'));
  assertEquals(fake.bridge.stats().questions, 1);
  const told = await client.notify(
    `{"jsonrpc":"2.0","id":${
      JSON.stringify(id)
    },"result":{"action":"accept","content":{"n":1.50}}}`,
  );
  assertEquals(told.status, 202);
  await reader.readAll();
  assertEquals(last(reader), { jsonrpc: "2.0", id: 7, result: { content: [] } });
  assertEquals(reader.ending, null);
  const [first, second] = fake.of("tools/call");
  assertEquals(changes(first!), {
    id: 7,
    inputResponses: undefined,
    requestState: undefined,
    name: "t",
  });
  assertEquals(typeof second!.message.id, "number");
  assert(second!.message.id !== 7);
  assert(second!.text.includes(`"requestState":${state}`), second!.text);
  assert(
    second!.text.includes('"inputResponses":{"who":{"action":"accept","content":{"n":1.50}}}'),
  );
  assertEquals(second!.message.params!["arguments"], { n: 1 });
  assertEquals(second!.call.headers.get("mcp-name"), "t");
  assertEquals(fake.bridge.stats().questions, 0);
  await fake.bridge.close();
});

Deno.test("mrtr: all questions of a round are put at once, and all answers go up together", async () => {
  const sampling = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } };
  const fake = asking([{
    inputRequests: { a: FORM, 'b"': sampling, c: { method: "roots/list" } },
  }]);
  const client = await fake.join({ capabilities: ALL });
  const reader = await call(client, { ...CALL, id: "x" });
  const questions = messagesIn(reader);
  assertEquals(questions.map(({ method }) => method), [
    "elicitation/create",
    "sampling/createMessage",
    "roots/list",
  ]);
  assertEquals(new Set(questions.map(({ id }) => id)).size, 3);
  await answer(client, questions[2]!.id, { result: { roots: [] } });
  await answer(client, questions[0]!.id, { result: { action: "decline" } });
  assertEquals(fake.of("tools/call").length, 1);
  // An answer counts once.
  await answer(client, questions[0]!.id, { result: { action: "accept" } });
  await answer(client, questions[1]!.id, { result: { model: "m" } });
  await reader.readAll();
  assertEquals(last(reader).id, "x");
  const { params, id } = fake.of("tools/call")[1]!.message;
  assertEquals(params!["inputResponses"], {
    a: { action: "decline" },
    'b"': { model: "m" },
    c: { roots: [] },
  });
  assertEquals(Object.hasOwn(params!, "requestState"), false);
  assertEquals(typeof id, "string");
  assertEquals(fake.bridge.stats().dropped, { "(response)": 1 });
  await fake.bridge.close();
});

Deno.test("mrtr: further rounds have their own answers and states and ids, up to a bound", async () => {
  const round = (n: number) => ({ inputRequests: { q: FORM }, requestState: `s${n}` });
  const fake = asking([round(1), round(2), round(3)], { limits: { maxRounds: 2 } });
  const client = await fake.join({ capabilities: ALL });
  const reader = await call(client);
  for (const action of ["one", "two"]) {
    await answer(client, last(reader).id, { result: { action } });
    await reader.readAll();
  }
  assertEquals(last(reader).error!.code, -31502);
  const sent = fake.of("tools/call").map(changes) as { id: number }[];
  assertEquals(new Set(sent.map(({ id }) => id)).size, 3);
  assertEquals(sent.map((one) => ({ ...one, id: 0 })), [
    { id: 0, inputResponses: undefined, requestState: undefined, name: "t" },
    { id: 0, inputResponses: { q: { action: "one" } }, requestState: "s1", name: "t" },
    { id: 0, inputResponses: { q: { action: "two" } }, requestState: "s2", name: "t" },
  ] as never);
  await fake.bridge.close();
});

Deno.test("mrtr: a state without questions is sent back after a pause", async () => {
  const fake = asking([{ requestState: "a" }, { requestState: "b" }]);
  const client = await fake.join();
  const answering = client.request("tools/call", CALL.params);
  for (let times = 0; times < 2; times++) {
    await settled();
    assertEquals(fake.of("tools/call").length, times + 1);
    fake.clock.advance(1_000);
  }
  assertEquals((await answering).result, { content: ["done"] });
  assertEquals(fake.of("tools/call").map(({ message }) => message.params!["requestState"]), [
    undefined,
    "a",
    "b",
  ]);
  await fake.bridge.close();
});

Deno.test("mrtr: a result that wants neither, or what is no request, is the server's fault", async () => {
  for (
    const wants of [{}, { inputRequests: [] }, { inputRequests: { a: 1 } }, {
      inputRequests: { a: { method: "x/y" } },
    }, { inputRequests: { a: { ...FORM, params: 1 } } }]
  ) {
    const fake = asking([wants]);
    const client = await fake.join({ capabilities: ALL });
    assertEquals((await client.request("tools/call", CALL.params)).error!.code, -31502);
    assertEquals([fake.bridge.stats().questions, fake.of("tools/call").length], [0, 1]);
    await fake.bridge.close();
  }
});

Deno.test("ERAS a capability that the client lacks is an error, and nothing is asked", async () => {
  const url = {
    method: "elicitation/create",
    params: { mode: "url", message: "m", url: "https://a" },
  };
  const cases: [revision: string, capabilities: Record<string, unknown>, question: unknown][] = [
    ["2025-03-26", ALL, FORM],
    ["2024-11-05", ALL, FORM],
    ["2025-06-18", { sampling: {} }, FORM],
    ["2025-06-18", ALL, url],
    ["2025-11-25", { elicitation: {} }, url],
    ["2025-11-25", { elicitation: {} }, { method: "roots/list" }],
  ];
  for (const [revision, capabilities, question] of cases) {
    const fake = asking([{ inputRequests: { a: FORM, b: question } }]);
    const client = await fake.join({ revision, capabilities });
    const got = await client.exchange(CALL);
    // What is about one request alone has no status: clients of sessions read no body of a 400.
    assertEquals(got.status, 200);
    assertEquals(JSON.parse(await textOf(got.body)).error.code, -32600);
    assertEquals([fake.bridge.stats().questions, fake.of("tools/call").length], [0, 1]);
    await fake.bridge.close();
  }
});

Deno.test("2025-11-25 elicitation in URL mode has an id", async () => {
  const url = {
    method: "elicitation/create",
    params: { mode: "url", message: "m", url: "https://a" },
  };
  const fake = asking([{ inputRequests: { a: url } }]);
  const client = await fake.join({ capabilities: ALL });
  const reader = await call(client);
  const { elicitationId, ...rest } = last(reader).params!;
  assertEquals(rest, url.params as never);
  assertEquals((elicitationId as string).length, 32);
  await answer(client, last(reader).id, { result: { action: "accept" } });
  await reader.readAll();
  assertEquals(last(reader).result, { content: ["done"] });
  await fake.bridge.close();
});

Deno.test("client/sampling Error Handling: an answer that is an error ends the request with it, and takes the other questions back", async () => {
  const fake = asking([{ inputRequests: { a: FORM, b: FORM } }]);
  const client = await fake.join({ capabilities: ALL });
  const reader = await call(client);
  const [one, two] = messagesIn(reader);
  await answer(client, two!.id, { error: { code: -1, message: "User rejected" } });
  await reader.readAll();
  const [cancelled, told] = messagesIn(reader).slice(2);
  assertEquals([cancelled!.method, cancelled!.params!["requestId"]], [
    "notifications/cancelled",
    one!.id,
  ]);
  assertEquals([told!.id, told!.error!.code], [7, -1]);
  assert(told!.error!.message.includes("User rejected"));
  assertEquals([fake.of("tools/call").length, fake.bridge.stats().questions], [1, 0]);
  await fake.bridge.close();
});

Deno.test("questions wait for a bounded time, and in a bounded number", async () => {
  const fake = asking([{ inputRequests: { a: FORM } }, { inputRequests: { a: FORM, b: FORM } }], {
    limits: { maxQuestions: 2 },
  });
  const client = await fake.join({ capabilities: ALL });
  const reader = await call(client);
  const told = await client.request("tools/call", CALL.params, 8);
  assertEquals(told.error!.code, -31503);
  fake.clock.advance(30_000);
  await reader.readAll();
  const [question, cancelled, error] = messagesIn(reader);
  assertEquals(cancelled!.params!["requestId"], question!.id);
  assertEquals([error!.id, error!.error!.code], [7, -31408]);
  assertEquals([fake.bridge.stats().questions, fake.bridge.stats().inFlight], [0, 0]);
  await fake.bridge.close();
});

Deno.test("an answer that is neither result nor proper error ends the request too", async () => {
  const fake = asking([{ inputRequests: { a: FORM } }]);
  const client = await fake.join({ capabilities: ALL });
  const reader = await call(client);
  await answer(client, last(reader).id, { result: 1 });
  await reader.readAll();
  assertEquals(last(reader).error!.code, -32603);
  await fake.bridge.close();
});

Deno.test("mrtr: the id of a retry is none that the client has in use", async () => {
  const fake = asking([{ inputRequests: { a: FORM } }]);
  const client = await fake.join({ capabilities: ALL });
  const { answer: open } = fake.server.events();
  fake.answers["x/y"] = () => open;
  const id = 1_000_000_001;
  const { body } = await client.exchange({ jsonrpc: "2.0", id, method: "x/y" });
  const reader = await call(client);
  await answer(client, last(reader).id, { result: { action: "accept" } });
  assert(fake.of("tools/call")[1]!.message.id !== id);
  body.discard();
  await fake.bridge.close();
});

Deno.test("a request that is cancelled while its questions wait takes them back, and is not sent again", async () => {
  const fake = asking([{ inputRequests: { a: FORM } }]);
  const client = await fake.join({ capabilities: ALL });
  const reader = await call(client);
  await client.notify({
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId: 7 },
  });
  await settled();
  assertEquals(fake.bridge.stats().questions, 0);
  await answer(client, last(reader).id, { result: { action: "accept" } });
  await reader.readAll();
  assertEquals([messagesIn(reader).length, reader.ending], [1, null]);
  assertEquals([fake.of("tools/call").length, fake.bridge.stats().questions], [1, 0]);
  await fake.bridge.close();
});

Deno.test("2025-03-26 questions of a request that is cancelled are taken back on the stream of its batch", async () => {
  const sampling = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } };
  const fake = asking([{ inputRequests: { a: sampling } }, { inputRequests: { a: sampling } }]);
  const client = await fake.join({ revision: "2025-03-26", capabilities: { sampling: {} } });
  const reader = await client.streamed([CALL, { ...CALL, id: 8 }]);
  await reader.readAll();
  const [one] = messagesIn(reader);
  const params = { requestId: 7 };
  await client.notify({ jsonrpc: "2.0", method: "notifications/cancelled", params });
  await reader.readAll();
  const { method, params: told } = last(reader);
  assertEquals([method, told!["requestId"]], ["notifications/cancelled", one!.id]);
  assertEquals([fake.bridge.stats().questions, fake.bridge.stats().inFlight], [1, 1]);
  await fake.bridge.close();
});

Deno.test("R72 an answer of another session is none", async () => {
  const fake = asking([{ inputRequests: { a: FORM } }]);
  const client = await fake.join({ capabilities: ALL });
  const other = await fake.join({ capabilities: ALL });
  const reader = await call(client);
  await answer(other, last(reader).id, { result: { action: "accept" } });
  assertEquals([fake.of("tools/call").length, fake.bridge.stats().questions], [1, 1]);
  await fake.bridge.close();
});

Deno.test("log lines and progress pass ahead of questions and behind them", async () => {
  const fake = asking([]);
  const note = {
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { level: "info", data: 1 },
  };
  let asked = 0;
  fake.answers["tools/call"] = ({ message: { id } }) =>
    fake.stream(note, {
      jsonrpc: "2.0",
      id,
      result: asked++ === 0
        ? { resultType: "input_required", inputRequests: { a: FORM } }
        : { content: [] },
    });
  const client = await fake.join({ capabilities: ALL });
  const reader = await call(client);
  await answer(client, last(reader).id, { result: { action: "accept" } });
  await reader.readAll();
  assertEquals(messagesIn(reader).map(({ method }) => method), [
    "notifications/message",
    "elicitation/create",
    "notifications/message",
    undefined,
  ]);
  await fake.bridge.close();
});

Deno.test("2025-03-26 questions for one request of a batch come on its stream, and answers may come as a batch", async () => {
  const sampling = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } };
  const fake = asking([{ inputRequests: { a: sampling } }]);
  const client = await fake.join({ revision: "2025-03-26", capabilities: { sampling: {} } });
  const reader = await client.streamed([CALL, { jsonrpc: "2.0", id: 8, method: "ping" }]);
  await reader.readAll();
  const question = messagesIn(reader).find(({ method }) => method !== undefined)!;
  assertEquals(
    (await client.notify([{ jsonrpc: "2.0", id: question.id, result: { model: "m" } }])).status,
    202,
  );
  await reader.readAll();
  const ids = messagesIn(reader).filter(({ method }) => method === undefined).map(({ id }) => id);
  assertEquals(ids.toSorted(), [7, 8]);
  assertEquals(reader.ending, null);
  await fake.bridge.close();
});

Deno.test("2025-03-26 an answer may come in one batch with a request", async () => {
  const sampling = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } };
  const fake = asking([{ inputRequests: { a: sampling } }]);
  const client = await fake.join({ revision: "2025-03-26", capabilities: { sampling: {} } });
  const reader = await call(client);
  const response = { jsonrpc: "2.0", id: last(reader).id, result: { model: "m" } };
  await client.ask([{ jsonrpc: "2.0", id: 8, method: "ping" }, response]);
  await reader.readAll();
  assertEquals(last(reader), { jsonrpc: "2.0", id: 7, result: { content: ["done"] } });
  await fake.bridge.close();
});

Deno.test("a client's own inputResponses and requestState do not go up beside those of a round", async () => {
  const fake = asking([{ inputRequests: { a: FORM }, requestState: "s" }]);
  const client = await fake.join({ capabilities: ALL });
  const params = { ...CALL.params, requestState: "forged", inputResponses: { a: 1 } };
  const reader = await call(client, { ...CALL, params });
  await answer(client, last(reader).id, { result: { action: "accept" } });
  const { text } = fake.of("tools/call")[1]!;
  assertEquals([text.split('"requestState"').length, text.includes("forged")], [2, false]);
  await fake.bridge.close();
});

Deno.test("a refusal in a later round, when the stream has begun, is an error on it", async () => {
  const fake = asking([{ inputRequests: { a: FORM } }]);
  const client = await fake.join({ capabilities: ALL });
  const reader = await call(client);
  fake.answers["tools/call"] = () => fake.server.json({ error: "no" }, 403);
  await answer(client, last(reader).id, { result: { action: "accept" } });
  await reader.readAll();
  assertEquals([last(reader).id, last(reader).error!.code], [7, -31502]);
  await fake.bridge.close();
});

Deno.test("a refusal in a later round has the id of the client's request (JSON-RPC 2.0, 5 Response object)", async () => {
  const error = { code: -32603, message: "m" };
  const array = [{ jsonrpc: "2.0", id: "b", error }];
  const cases: [sent: (id: unknown) => unknown, told: unknown][] = [
    [(id) => ({ jsonrpc: "2.0", id, error }), { jsonrpc: "2.0", id: 7, error }],
    [() => ({ jsonrpc: "2.0", id: null, error }), { jsonrpc: "2.0", id: 7, error }],
    [() => ({ jsonrpc: "2.0", error }), { jsonrpc: "2.0", id: 7, error }],
    // What is no JSON-RPC error has ids of its own.
    [() => ({ id: "trace", error: "no" }), { id: "trace", error: "no" }],
    [() => array, array],
  ];
  for (const [sent, told] of cases) {
    const fake = asking([{ requestState: "s" }]);
    const client = await fake.join();
    const asked = client.exchange(CALL);
    await settled();
    fake.answers["tools/call"] = ({ message: { id } }) => fake.server.json(sent(id), 503);
    fake.clock.advance(5_000);
    const { status, body } = await asked;
    assertEquals([status, JSON.parse(await textOf(body))], [503, told]);
    assert(fake.of("tools/call").at(-1)!.message.id !== 7);
    await fake.bridge.close();
  }
});
