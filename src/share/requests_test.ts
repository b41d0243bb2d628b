import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";
import { DEFAULT_BOUNDS, sharedUpstream } from "./mod.ts";

const { eventOf, FakeServer, messagesIn, SharedClient, sharedOptions, textOf } = share;

async function setup(clients = 2, bounds = {}, more = {}, options: share.ClientOptions = {}) {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const shared = sharedUpstream(server, { ...sharedOptions(clock, bounds), ...more });
  const joined = [];
  for (let at = 0; at < clients; at++) joined.push(await SharedClient.join(shared, options));
  return { clock, server, shared, clients: joined, a: joined[0]!, b: joined[1]! };
}

/** A call that asks for progress. */
function tool(idText: string, tokenText: string) {
  return `{"jsonrpc": "2.0",\t"id":${idText},"params":{"n":1.50,"_meta":{"progressToken":${tokenText}}},` +
    '"method":"tools/call"}';
}

Deno.test("R24 a request goes up with names of its own of the same type, byte for byte otherwise", async () => {
  const { server, a } = await setup();
  await a.exchange(tool("1.0", '"tok"'));
  await a.exchange(tool('"\\u0061"', "7"));
  const [first, second] = server.of("tools/call");
  const { id, params } = first!.message;
  assertEquals([typeof id, typeof params!._meta!.progressToken], ["number", "string"]);
  assertEquals(first!.text, tool(`${id}`, `"${params!._meta!.progressToken}"`));
  assertEquals(typeof second!.message.id, "string");
  assertEquals(typeof second!.message.params!._meta!.progressToken, "number");
  assertEquals(first!.call.sessionId, "up-1");
});

Deno.test("R24 an answer of JSON comes back with the exact text of the id, byte for byte otherwise", async () => {
  const { server, a, shared } = await setup();
  server.script = ({ message: { id } }) =>
    server.json(` {"result": {"n": 1.50, "id": 3},"jsonrpc":"2.0","id":${JSON.stringify(id)} }`);
  for (const idText of ["1.0", '"\\u0061"', "9007199254740993", '""']) {
    assertEquals(
      await a.ask(tool(idText, "1")),
      ` {"result": {"n": 1.50, "id": 3},"jsonrpc":"2.0","id":${idText} }`,
    );
  }
  assertEquals(shared.stats().inFlight, 0);
});

Deno.test("a stream comes back event by event: ids, retry, comments and order as they were", async () => {
  const { server, a, shared } = await setup();
  const { answer, filled } = server.events();
  server.script = () => answer;
  const stream = await a.streamed(tool("5", '"t"'));
  const { id, params } = server.of("tools/call")[0]!.message;
  const token = params!._meta!.progressToken;
  filled.send(`: hello\nid: e0\nretry: 250\ndata:\n\n`);
  const progress = { progressToken: token, progress: 1 };
  filled.send(
    eventOf({ jsonrpc: "2.0", method: "notifications/progress", params: progress }, "e1"),
  );
  filled.send(eventOf({ jsonrpc: "2.0", method: "notifications/vendor", params: {} }));
  filled.send("data: no JSON\n\n");
  filled.send(eventOf({ jsonrpc: "2.0", id, result: {} }, "e2"));
  filled.body.finish();
  await stream.readAll();
  assertEquals(stream.ending, null);
  assertEquals(stream.events.map(({ id }) => id), ["e0", "e1", undefined, undefined, "e2"]);
  assertEquals(stream.events[0], {
    id: "e0",
    event: undefined,
    retry: 250,
    comments: [" hello"],
    data: "",
  });
  assertEquals(stream.events[1]!.data!.includes('"progressToken":"t"'), true);
  assertEquals(stream.events[3]!.data, "no JSON");
  assertEquals(JSON.parse(stream.events[4]!.data!).id, 5);
  assertEquals(shared.stats().inFlight, 0);
});

Deno.test("R78 what is another's does not come on a member's answer, and is counted", async () => {
  const { server, a, b, shared } = await setup();
  const [one, two] = [server.events(), server.events()];
  server.script = ({ message }) => message.params?.n === 1 ? one.answer : two.answer;
  const request = (n: number) => ({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { n } });
  const [mine, other] = [await a.streamed(request(1)), await b.streamed(request(2))];
  const [up1, up2] = server.of("tools/call").map(({ message }) => message.id);
  one.filled.send(eventOf({ jsonrpc: "2.0", id: up2, result: "b's" }, "x"));
  one.filled.send(eventOf({ jsonrpc: "2.0", id: 999, result: "nobody's" }));
  one.filled.send(eventOf({ jsonrpc: "2.0", id: up1, result: "a's" }));
  one.filled.send(eventOf({ jsonrpc: "2.0", id: up1, result: "twice" }));
  one.filled.body.finish();
  two.filled.send(eventOf({ jsonrpc: "2.0", id: up2, result: "b's" }));
  two.filled.body.finish();
  await mine.readAll();
  await other.readAll();
  assertEquals(messagesIn(mine).map(({ result }) => result), ["a's"]);
  assertEquals(messagesIn(other).map(({ result }) => result), ["b's"]);
  // The id of an event whose data was not for this client stays: it may go on behind it.
  assertEquals(mine.events[0], {
    id: "x",
    event: undefined,
    retry: undefined,
    comments: [],
    data: undefined,
  });
  assertEquals(shared.stats().dropped, { "(response)": 3 });
});

Deno.test("R78 an answer of JSON to another request is no answer", async () => {
  const { server, a, shared } = await setup();
  server.script = () => server.json({ jsonrpc: "2.0", id: 12345, result: {} });
  await assertRejects(() => a.ask(tool("1", "1")), ProxyError, "another request");
  assertEquals(shared.stats().inFlight, 0);
});

Deno.test("batches are treated message by message", async () => {
  const { server, a, shared } = await setup(1, {}, {}, { revision: "2025-03-26" });
  server.script = ({ text }) => {
    const sent = JSON.parse(text) as share.Rpc[];
    const responses = sent.filter(({ id }) => id !== undefined)
      .map(({ id, method }) => ({ jsonrpc: "2.0", id, result: method })).reverse();
    return server.json(JSON.stringify(responses));
  };
  const text = await a.ask(
    '[{"jsonrpc":"2.0","id":1,"method":"x"},{"jsonrpc":"2.0","method":"notifications/initialized"},' +
      '{"jsonrpc":"2.0","id":"1","method":"y"},{"jsonrpc":"2.0","id":2,"method":"initialize"}]',
  );
  const responses = JSON.parse(text) as share.Rpc[];
  assertEquals(responses.map(({ id, result }) => [id, result]), [
    ["1", "y"],
    [1, "x"],
    [2, undefined],
  ]);
  assertEquals(shared.stats().inFlight, 0);
});

Deno.test("a batch may be answered with a stream, in which batches stand", async () => {
  const { server, a } = await setup(1, {}, {}, { revision: "2025-03-26" });
  server.script = ({ text, kind }) => {
    if (kind === "notify") return undefined;
    const [x, y] = JSON.parse(text) as share.Rpc[];
    const { answer, filled } = server.events();
    const foreign = { jsonrpc: "2.0", id: 99, result: 0 };
    filled.send(eventOf([
      { jsonrpc: "2.0", id: x!.id, result: 1 },
      foreign,
      { jsonrpc: "2.0", id: y!.id, result: 2 },
    ]));
    filled.body.finish();
    return answer;
  };
  const stream = await a.streamed(
    '[{"jsonrpc":"2.0","id":1,"method":"x"},{"jsonrpc":"2.0","id":2,"method":"y"},' +
      '{"jsonrpc":"2.0","id":3,"method":"initialize"},{"jsonrpc":"2.0","method":"notifications/z"}]',
  );
  await stream.readAll();
  const [here, batch] = stream.events.map(({ data }) => JSON.parse(data!));
  assertEquals([here.id, here.error.code], [3, -32600]);
  assertEquals(batch.map((one: share.Rpc) => [one.id, one.result]), [[1, 1], [2, 2]]);
  assertEquals(server.calls.map(({ kind }) => kind), [
    "exchange",
    "notify",
    "notify",
    "exchange",
  ]);
});

Deno.test("a batch that the hub answers whole, and one with nothing to answer, go nowhere", async () => {
  const { server, a } = await setup(1, {}, {}, { revision: "2025-03-26" });
  const before = server.calls.length;
  const [answered] = JSON.parse(
    await a.ask('[{"jsonrpc":"2.0","id":3,"method":"initialize"}]'),
  ) as share.Rpc[];
  assertEquals(answered!.id, 3);
  const nothing = await a.exchange('[{"jsonrpc":"2.0","method":"notifications/initialized"}]');
  assertEquals(nothing.status, 202);
  assertEquals(server.calls.length, before);
});

Deno.test("a cancellation names the request as it went up; an unknown one is dropped", async () => {
  const { server, a, b, shared } = await setup();
  const { answer, filled } = server.events();
  server.script = ({ kind }) => kind === "exchange" ? answer : undefined;
  const stream = await a.streamed(tool('"c"', "1"));
  const up = server.of("tools/call")[0]!.message.id;
  const cancel = (requestId: unknown) =>
    `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"reason":"r","requestId":${
      JSON.stringify(requestId)
    }}}`;
  assertEquals((await b.notify(cancel("c"))).status, 202);
  assertEquals((await a.notify(cancel("d"))).status, 202);
  assertEquals(server.of("notifications/cancelled"), []);
  await a.notify(cancel("c"));
  const [sent] = server.of("notifications/cancelled");
  assertEquals(sent!.text, cancel(up));
  assertEquals(shared.stats().dropped, { "notifications/cancelled of a client": 2 });
  filled.send(eventOf({ jsonrpc: "2.0", id: up, result: {} }));
  await stream.readAll();
  // It has its answer: there is nothing to be cancelled.
  await a.notify(cancel("c"));
  assertEquals(server.of("notifications/cancelled").length, 1);
});

Deno.test("errors of the server pass with the client's id, and statuses with what they say", async () => {
  const { server, a, shared } = await setup();
  const error = { code: -32602, message: "no" };
  const answers: ((id: unknown) => [unknown, number])[] = [
    (id) => [{ jsonrpc: "2.0", id, error }, 400],
    () => [{ jsonrpc: "2.0", id: "server-error", error }, 400],
    () => [{ jsonrpc: "2.0", id: null, error }, 400],
    () => [{ jsonrpc: "2.0", error }, 500],
    () => ["plain words", 503],
  ];
  const got: unknown[] = [];
  for (const answer of answers) {
    server.script = ({ message }) => server.json(...answer(message.id));
    const { status, body } = await a.exchange(tool('"i"', "1"));
    const text = await textOf(body);
    got.push([status, text.startsWith("{") ? JSON.parse(text).id : text]);
  }
  assertEquals(got, [[400, "i"], [400, "i"], [400, null], [500, undefined], [503, "plain words"]]);
  server.script = () => ({ ...server.json("<html>", 502), kind: "other" });
  assertEquals((await a.exchange(tool("1", "1"))).status, 502);
  server.script = () => Promise.reject(new ProxyError("upstream_unreachable", "gone"));
  await assertRejects(() => a.exchange(tool("1", "1")), ProxyError, "gone");
  assertEquals(shared.stats().inFlight, 0);
});

Deno.test("R42 R49 answers that are too large or compressed are refused, streams are not read ahead", async () => {
  const { server, a, shared } = await setup(1, {}, { maxEventBytes: 1_000 });
  server.script = () => server.json(`{"jsonrpc":"2.0","id":1,"result":"${"x".repeat(1_000)}"}`);
  await assertRejects(() => a.ask(tool("1", "1")), ProxyError, "more than 1000 bytes");
  server.script = () => {
    const answer = server.json({});
    answer.headers.set("content-encoding", "gzip");
    return answer;
  };
  await assertRejects(() => a.ask(tool("1", "1")), ProxyError, "compressed");
  const { answer, filled } = server.events();
  server.script = () => answer;
  const stream = await a.streamed(tool("1", "1"));
  filled.send(": one\n\n" + "x".repeat(400));
  await stream.read();
  filled.send(": two\n\n".repeat(10_000));
  await relay.settled();
  assertEquals([stream.events.length, filled.paused], [1, true]);
  await stream.readAll();
  assertEquals([stream.events.length, filled.paused], [10_000, false]);
  filled.send("x".repeat(1_001));
  await stream.readAll();
  assert(stream.ending instanceof ProxyError);
  assertEquals([filled.aborted, shared.stats().inFlight], [true, 0]);
});

Deno.test("a stream that is given up is closed upstream, and forgotten", async () => {
  const { server, a, shared } = await setup(1);
  const { answer, filled } = server.events();
  server.script = () => answer;
  const { body } = await a.exchange(tool("1", "1"));
  let over = 0;
  body.whenOver(() => over++);
  assertEquals(body.wholeNow(10), undefined);
  body.discard();
  assertEquals([filled.aborted, over, shared.stats().inFlight], [true, 1, 0]);
});

Deno.test("an answer of JSON may come in pieces, also in the middle of a character", async () => {
  const { server, a } = await setup(1);
  const filled = relay.filledBody(server.clock);
  server.script = () => relay.answerWith(filled.body, 200, "json");
  const asking = a.ask(tool("5", "1"));
  await relay.settled();
  const { id } = server.of("tools/call")[0]!.message;
  for (const byte of new TextEncoder().encode(`{"jsonrpc":"2.0","id":${id},"result":"€"}`)) {
    filled.body.push(Uint8Array.of(byte));
    if (byte % 3 === 0) await relay.settled();
  }
  filled.body.finish();
  assertEquals(await asking, '{"jsonrpc":"2.0","id":5,"result":"€"}');
});

Deno.test("R54 a client that goes while its answer of JSON comes in has it given up", async () => {
  const { server, a, shared } = await setup(1);
  const filled = relay.filledBody(server.clock);
  server.script = () => relay.answerWith(filled.body, 200, "json");
  const control = new AbortController();
  const asking = a.exchange({ jsonrpc: "2.0", id: 1, method: "x" }, control.signal);
  filled.send('{"jsonrpc":');
  await relay.settled();
  control.abort();
  await assertRejects(() => asking, ProxyError);
  assertEquals([filled.aborted, shared.stats().inFlight], [true, 0]);
});

Deno.test("a stream can be read whole, watched, and ended", async () => {
  const { server, a } = await setup(1);
  const seen: number[] = [];
  for (const maxBytes of [10_000, 10]) {
    const { answer, filled } = server.events();
    server.script = () => answer;
    const { body } = await a.exchange(tool("1", "1"));
    body.tap((bytes) => seen.push(bytes.length));
    filled.send(": a comment\n\n");
    filled.send("data: plain\n\n");
    filled.body.finish();
    const whole = await body.bytesWithin(maxBytes);
    assertEquals(whole?.length, maxBytes === 10 ? undefined : 26);
    assertEquals((await textOf(body)).length, maxBytes === 10 ? 26 : 0);
  }
  assertEquals(seen, [26, 26]);
  const { answer } = server.events();
  server.script = () => answer;
  const { body } = await a.exchange(tool("1", "1"));
  body.end();
  assertEquals([await body.next(), body.ended], [null, true]);
});

Deno.test("R85 requests of one member are capped, those of others go on", async () => {
  const { server, a, b } = await setup(2, { maxMemberRequests: 3 });
  server.script = () => server.events().answer;
  for (let id = 0; id < 3; id++) await a.exchange(tool("1", "1"));
  await assertRejects(() => a.exchange(tool("1", "1")), ProxyError, "as many requests");
  await b.exchange(tool("1", "1"));
  assert(DEFAULT_BOUNDS.maxMemberRequests >= 1_000);
});

Deno.test("what is no JSON-RPC is refused here", async () => {
  const { a, shared } = await setup(1);
  await assertRejects(() => a.exchange("{"), ProxyError, "not valid JSON");
  await assertRejects(
    () => a.exchange('{"id":true,"method":"x"}'),
    ProxyError,
    "string or a number",
  );
  assertEquals(shared.stats().inFlight, 0);
});

Deno.test("a member that leaves has its calls cancelled and its streams ended", async () => {
  const { server, a } = await setup();
  const { answer, filled } = server.events();
  const late = Promise.withResolvers<typeof answer>();
  server.script = ({ kind, message }) => {
    if (kind !== "exchange") return undefined;
    return message.method === "tools/call" ? answer : late.promise;
  };
  const stream = await a.streamed(tool("1", "1"));
  const waiting = assertRejects(
    () => a.exchange({ jsonrpc: "2.0", id: 2, method: "slow" }),
    ProxyError,
    "ended",
  );
  await stream.read();
  await a.terminate();
  await relay.settled();
  const cancelled = server.of("notifications/cancelled").map(({ message }) =>
    message.params!.requestId
  );
  assertEquals(cancelled, ["tools/call", "slow"].map((method) => server.of(method)[0]!.message.id));
  assertEquals([stream.ending, filled.aborted], [null, true]);
  const lateAnswer = server.events();
  late.resolve(lateAnswer.answer);
  await waiting;
  assertEquals(lateAnswer.filled.aborted, true);
});
