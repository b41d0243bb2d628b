import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";
import { sharedUpstream } from "./mod.ts";

const { eventOf, FakeServer, messagesIn, SharedClient, sharedOptions, textOf } = share;

/** How a server says that it does not know a session. */
const LOST: Readonly<Record<string, [unknown, number]>> = {
  "404": [{ jsonrpc: "2.0", id: null, error: { code: -32001, message: "Session not found" } }, 404],
  "400 with words": [
    { jsonrpc: "2.0", error: { code: -32000, message: "Bad Request: No valid session ID" } },
    400,
  ],
};

async function setup(clients = 1) {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const shared = sharedUpstream(server, sharedOptions(clock));
  const joined = [];
  for (let at = 0; at < clients; at++) {
    joined.push(await SharedClient.join(shared, { capabilities: { sampling: {}, roots: {} } }));
  }
  return { clock, server, shared, clients: joined, a: joined[0]! };
}

/** The server forgets the session it has, and opens another one when it is asked to. */
function restart(
  server: share.FakeServer,
  how = LOST["404"]!,
  next: share.FakeScript = () => undefined,
) {
  const lost = server.sessionId;
  server.sessionId = `${lost}'`;
  server.script = (call) => call.call.sessionId === lost ? server.json(...how) : next(call);
}

const tool = (id: string | number, n = 0) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { n },
});

for (const [how, answer] of Object.entries(LOST)) {
  Deno.test(`R66 a session that the server has lost (${how}) is made anew once, for all who find it`, async () => {
    const { server, clients } = await setup(10);
    restart(server, answer);
    const responses = await Promise.all(
      clients.map(async (client, n) => JSON.parse(await client.ask(tool("t", n)))),
    );
    for (const response of responses) {
      assertEquals(response, { jsonrpc: "2.0", id: "t", result: {} });
    }
    assertEquals(server.of("initialize").length, 2);
    assertEquals(server.of("notifications/initialized").at(-1)!.call.sessionId, "up-1'");
    const repeated = server.of("tools/call").filter(({ call }) => call.sessionId === "up-1'");
    assertEquals(repeated.map(({ message }) => message.params!.n).toSorted(), [
      ...Array.from(Array(10).keys()),
    ]);
  });
}

Deno.test("R66 subscriptions, the level and the stream are put into the new session", async () => {
  const { server, a, clients } = await setup(2);
  const stream = await clients[1]!.listen();
  await a.request("resources/subscribe", { uri: "u:1" });
  await clients[1]!.request("resources/subscribe", { uri: "u:2" });
  await a.request("logging/setLevel", { level: "info" });
  const before = server.calls.length;
  restart(server);
  await a.ask(tool(1));
  const after = server.calls.slice(before).filter(({ call, kind }) =>
    call.sessionId === "up-1'" && kind !== "listen"
  );
  assertEquals(
    after.map(({ message: { method, params } }) => [method, params?.uri ?? params?.level]),
    [
      ["notifications/initialized", undefined],
      ["resources/subscribe", "u:1"],
      ["resources/subscribe", "u:2"],
      ["logging/setLevel", "info"],
      ["tools/call", undefined],
    ],
  );
  assertEquals(server.streams[0]!.aborted, true);
  await relay.settled();
  assertEquals(server.streams.length, 2);
  server.say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  await stream.readAll();
  // The first one says that the resource may have changed meanwhile.
  assertEquals(messagesIn(stream).map(({ params }) => params?.uri), ["u:2", undefined]);
});

Deno.test("R66 the stream finds the session lost, and goes on in the new one behind no event", async () => {
  const { server, a } = await setup();
  const stream = await a.listen();
  server.stream.send(eventOf({ jsonrpc: "2.0", method: "notifications/tools/list_changed" }, "e1"));
  await relay.settled();
  restart(server);
  server.streams[0]!.body.finish();
  await relay.settled();
  server.clock.advance(1);
  await relay.settled();
  const asked = server.calls.filter(({ kind }) => kind === "listen").map((
    { call },
  ) => [call.sessionId, call.lastEventId]);
  assertEquals(asked, [["up-1", null], ["up-1", "e1"], ["up-1'", null]]);
  server.say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  await stream.readAll();
  assertEquals([messagesIn(stream).length, stream.ending], [2, undefined]);
});

Deno.test("R66 a session made anew while the stream waits to be opened again has it behind no event", async () => {
  const { server, a } = await setup();
  await a.listen();
  server.stream.send(eventOf({ jsonrpc: "2.0", method: "notifications/tools/list_changed" }, "e1"));
  await relay.settled();
  restart(server);
  server.streams[0]!.body.finish();
  await relay.settled();
  // The wait is not over; a call finds the session lost.
  await a.request("tools/list");
  server.clock.advance(1);
  await relay.settled();
  const asked = server.calls.filter(({ kind }) => kind === "listen");
  assertEquals(asked.map(({ call }) => [call.sessionId, call.lastEventId]), [
    ["up-1", null],
    ["up-1'", null],
  ]);
});

Deno.test("R64 answers and cancellations for the lost session are not repeated in the new one", async () => {
  const { server, a } = await setup();
  const { answer, filled } = server.events();
  server.script = ({ message }) => message.method === "tools/call" ? answer : undefined;
  const stream = await a.streamed(tool(1));
  filled.send(eventOf({ jsonrpc: "2.0", id: 0, method: "roots/list" }));
  filled.send(eventOf({ jsonrpc: "2.0", id: 1, method: "roots/list" }));
  await stream.readAll();
  const [first, second] = messagesIn(stream);
  restart(server);
  const told = await a.notify({ jsonrpc: "2.0", id: first!.id, result: { roots: [] } });
  assertEquals([told.status, server.of("initialize").length], [202, 2]);
  await a.notify({ jsonrpc: "2.0", id: second!.id, result: { roots: [] } });
  const answers = server.calls.filter(({ message }) => message.result !== undefined);
  assertEquals(answers.map(({ call }) => call.sessionId), ["up-1"]);
  // A question on a stream of the lost session cannot be answered any more.
  filled.send(eventOf({ jsonrpc: "2.0", id: 2, method: "roots/list" }));
  filled.send(
    eventOf({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } }),
  );
  await stream.readAll();
  assertEquals(messagesIn(stream).length, 2);
  // Nor does it withdraw what the new session asks under the same id.
  const again = server.events();
  server.script = ({ message }) => message.method === "tools/call" ? again.answer : undefined;
  const renewed = await a.streamed(tool(2));
  again.filled.send(eventOf({ jsonrpc: "2.0", id: 3, method: "roots/list" }));
  await renewed.readAll();
  filled.send(
    eventOf({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 3 } }),
  );
  await stream.readAll();
  await a.notify({ jsonrpc: "2.0", id: messagesIn(renewed)[0]!.id, result: "new" });
  assertEquals([messagesIn(stream).length, server.calls.at(-1)!.message], [2, {
    jsonrpc: "2.0",
    id: 3,
    result: "new",
  }]);
});

Deno.test("R64 an answer given while the session is made anew does not reach the new one", async () => {
  const { server, a } = await setup();
  const { answer, filled } = server.events();
  server.script = ({ message }) => message.method === "tools/call" ? answer : undefined;
  const stream = await a.streamed(tool(1));
  filled.send(eventOf({ jsonrpc: "2.0", id: 0, method: "roots/list" }));
  await stream.readAll();
  const hold = Promise.withResolvers<void>();
  restart(
    server,
    LOST["404"],
    ({ message: { id, method } }) =>
      method !== "initialize" ? undefined : hold.promise.then(() => ({
        ...server.json({ jsonrpc: "2.0", id, result: { protocolVersion: "2025-11-25" } }),
        sessionId: server.sessionId,
      })),
  );
  const asking = a.ask(tool(2));
  await relay.settled();
  const telling = a.notify({ jsonrpc: "2.0", id: messagesIn(stream)[0]!.id, result: "late" });
  await relay.settled();
  hold.resolve();
  assertEquals([(await telling).status, JSON.parse(await asking).id], [202, 2]);
  const sent = server.calls.filter(({ message }) => message.result !== undefined);
  assertEquals(sent.map(({ call }) => call.sessionId), ["up-1"]);
});

Deno.test("R64 an answer in a batch, whose request found the session lost, does not reach the new one", async () => {
  const { server, a } = await setup();
  const { answer, filled } = server.events();
  server.script = ({ message }) => message.method === "tools/call" ? answer : undefined;
  const stream = await a.streamed(tool(1));
  filled.send(eventOf({ jsonrpc: "2.0", id: 0, method: "roots/list" }));
  await stream.readAll();
  restart(server);
  const batch = await a.ask([
    { jsonrpc: "2.0", id: messagesIn(stream)[0]!.id, result: "late" },
    { jsonrpc: "2.0", id: 2, method: "resources/subscribe", params: { uri: "u:1" } },
  ]);
  assertEquals(JSON.parse(batch), [{ jsonrpc: "2.0", id: 2, result: {} }]);
  assertEquals(server.calls.filter(({ text }) => text.includes("late")), []);
});

Deno.test("R66 R89 who asks while the session is made anew waits for it; what the old one refused is asked anew", async () => {
  const { server, shared, a, clients } = await setup(2);
  server.script = ({ kind }) => kind === "listen" ? server.json({}, 405) : undefined;
  assertEquals((await shared.listen(a.call())).status, 405);
  const hold = Promise.withResolvers<void>();
  restart(
    server,
    LOST["404"],
    ({ message: { id, method } }) =>
      method !== "initialize" ? undefined : hold.promise.then(() => ({
        ...server.json({ jsonrpc: "2.0", id, result: { protocolVersion: "2025-11-25" } }),
        sessionId: server.sessionId,
      })),
  );
  const first = a.ask(tool(1, 1));
  await relay.settled();
  const second = clients[1]!.ask(tool(1, 2));
  await relay.settled();
  hold.resolve();
  await Promise.all([first, second]);
  const sent = server.of("tools/call").map((
    { call, message },
  ) => [call.sessionId, message.params!.n]);
  assertEquals(sent, [["up-1", 1], ["up-1'", 1], ["up-1'", 2]]);
  assertEquals((await shared.listen(a.call())).status, 200);
});

Deno.test("R66 who learns late that the session was lost goes on in the one that there is by then", async () => {
  const { server, a, clients } = await setup(2);
  const late = Promise.withResolvers<void>();
  restart(server);
  const lost = server.script;
  server.script = (call) =>
    call.message.params?.n === 2 && call.call.sessionId === "up-1"
      ? late.promise.then(() => lost(call)!)
      : lost(call);
  const waiting = clients[1]!.ask(tool(2, 2));
  await a.ask(tool(1, 1));
  late.resolve();
  assertEquals(JSON.parse(await waiting), { jsonrpc: "2.0", id: 2, result: {} });
  assertEquals(server.of("initialize").length, 2);
});

Deno.test("R66 what the server asks while the session is restored can be answered", async () => {
  const { server, clients, a } = await setup(2);
  const stream = await clients[1]!.listen();
  await a.request("resources/subscribe", { uri: "u:1" });
  const { answer, filled } = server.events();
  restart(
    server,
    LOST["404"],
    ({ message }) => message.method === "resources/subscribe" ? answer : undefined,
  );
  const asking = a.ask(tool(1));
  await relay.settled();
  filled.send(eventOf({ jsonrpc: "2.0", id: 0, method: "roots/list" }));
  await stream.readAll();
  await clients[1]!.notify({ jsonrpc: "2.0", id: messagesIn(stream)[0]!.id, result: "here" });
  assertEquals(server.calls.at(-1)!.message, { jsonrpc: "2.0", id: 0, result: "here" });
  filled.body.fail(new ProxyError("upstream_closed", "reset"));
  assertEquals(JSON.parse(await asking).id, 1);
  assertEquals(a.shared.stats().dropped, { "(restored subscription or level)": 1 });
});

Deno.test("R66 who finds the session lost when the server has refused another asks for none again", async () => {
  const { server, clients } = await setup(2);
  const late = Promise.withResolvers<void>();
  restart(
    server,
    LOST["404"],
    ({ message }) => message.method === "initialize" ? server.json({}, 403) : undefined,
  );
  const lost = server.script;
  server.script = (call) =>
    call.message.params?.n === 2 ? late.promise.then(() => lost(call)!) : lost(call);
  const waiting = clients[1]!.exchange(tool(2, 2));
  assertEquals((await clients[0]!.exchange(tool(1, 1))).status, 404);
  late.resolve();
  assertEquals((await waiting).status, 404);
  assertEquals(server.of("initialize").length, 2);
});

Deno.test("R66 a server that refuses a new session ends the hub: 404 for all, and the next client starts over", async () => {
  const { server, shared, a, clients } = await setup(2);
  const stream = await clients[1]!.listen();
  await stream.read();
  restart(
    server,
    LOST["404"],
    ({ message }) => message.method === "initialize" ? server.json({}, 403) : undefined,
  );
  const answer = await a.exchange(tool(4));
  assertEquals(answer.status, 404);
  assertEquals(JSON.parse(await textOf(answer.body)).error.code, -32001);
  await relay.settled();
  assert(stream.ending instanceof ProxyError);
  assertEquals((await clients[1]!.exchange(tool(5))).status, 404);
  assertEquals(shared.stats().hubs, 0);
  server.script = () => undefined;
  await SharedClient.join(shared);
});

Deno.test("R66 a server that settles on another revision ends the hub too", async () => {
  const { server, shared, a } = await setup();
  restart(
    server,
    LOST["404"],
    ({ message: { id, method } }) =>
      method === "initialize"
        ? server.json({ jsonrpc: "2.0", id, result: { protocolVersion: "2025-03-26" } })
        : undefined,
  );
  assertEquals((await a.exchange(tool(4))).status, 404);
  assertEquals(shared.stats().hubs, 0);
});

Deno.test("R66 a server that cannot be reached loses nothing: the error is told, and later it goes on", async () => {
  const { server, shared, a } = await setup();
  await a.request("resources/subscribe", { uri: "u:1" });
  restart(
    server,
    LOST["404"],
    ({ message }) =>
      message.method === "initialize"
        ? Promise.reject(new ProxyError("upstream_unreachable", "gone"))
        : undefined,
  );
  await assertRejects(() => a.exchange(tool(4)), ProxyError, "gone");
  assertEquals(shared.stats().members, 1);
  server.script = ({ call }) => call.sessionId === "up-1" ? server.json({}, 404) : undefined;
  assertEquals(JSON.parse(await a.ask(tool(5))).id, 5);
  assertEquals(server.of("resources/subscribe").at(-1)!.call.sessionId, "up-1'");
});

Deno.test("a request that finds the new session lost as well is not sent a third time", async () => {
  const { server, a } = await setup();
  server.script = ({ message }) =>
    message.method === "tools/call" ? server.json({}, 404) : undefined;
  assertEquals((await a.exchange(tool(4))).status, 404);
  assertEquals(server.of("tools/call").length, 2);
});

Deno.test("other refusals are the client's, and servers without sessions lose none", async () => {
  const { server, a } = await setup();
  const error = { code: -32000, message: "Bad Request: odd" };
  server.script = ({ message: { id, method } }) =>
    method === "tools/call" ? server.json({ jsonrpc: "2.0", id, error }, 400) : undefined;
  const refused = await a.exchange(tool(4));
  assertEquals([refused.status, JSON.parse(await textOf(refused.body)).id], [400, 4]);
  assertEquals(server.of("initialize").length, 1);
  const stateless = new FakeServer();
  stateless.sessionId = undefined;
  const shared = sharedUpstream(stateless, sharedOptions(stateless.clock));
  const b = await SharedClient.join(shared);
  stateless.script = () => stateless.json({}, 404);
  assertEquals((await b.exchange(tool(4))).status, 404);
  await b.terminate();
  stateless.clock.advance(60_000);
  await relay.settled();
  assertEquals(stateless.calls.map(({ kind }) => kind), ["exchange", "notify", "exchange"]);
});

Deno.test("a stream of a call is gone on with under the same names (R57), by its own member alone (R79)", async () => {
  const { server, shared, clients, a } = await setup(2);
  const { answer, filled } = server.events();
  server.script = ({ message }) => message.method === "tools/call" ? answer : undefined;
  const params = { _meta: { progressToken: "tok" } };
  const stream = await a.streamed({ jsonrpc: "2.0", id: "mine", method: "tools/call", params });
  const up = server.of("tools/call")[0]!.message;
  filled.send("id: \u00e9-1\ndata:\n\n");
  await stream.read();
  filled.body.fail(new ProxyError("upstream_closed", "reset"));
  await stream.readAll();
  assert(stream.ending instanceof ProxyError);
  assertEquals(shared.stats().inFlight, 1);

  const rest = server.events();
  server.script = ({ kind }) => kind === "listen" ? rest.answer : undefined;
  const lastEventId = "\u00c3\u00a9-1";
  assertEquals((await shared.listen(clients[1]!.call({ lastEventId }))).status, 400);
  assertEquals((await shared.listen(a.call({ lastEventId: "other" }))).status, 400);
  const resumed = await a.listen(lastEventId);
  assertEquals(server.calls.at(-1)!.call.lastEventId, lastEventId);
  const progressToken = up.params!._meta!.progressToken;
  rest.filled.send(eventOf({
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken },
  }, "e-2"));
  rest.filled.send(eventOf({ jsonrpc: "2.0", id: up.id, result: {} }, "e-3"));
  rest.filled.body.finish();
  await resumed.readAll();
  const [progress, response] = messagesIn(resumed);
  assertEquals([progress!.params, response!.id], [{ progressToken: "tok" }, "mine"]);
  assertEquals(resumed.events.map(({ id }) => id), ["e-2", "e-3"]);
  assertEquals(shared.stats().inFlight, 0);
});

Deno.test("what the client itself names as its last event counts where the front says nothing", async () => {
  const { server, shared, a } = await setup();
  const { answer, filled } = server.events();
  server.script = ({ message }) => message.method === "tools/call" ? answer : undefined;
  const stream = await a.streamed(tool(1));
  filled.send("id: e1\ndata:\n\n");
  await stream.read();
  // The client goes on while the old stream is still open.
  const rest = server.events();
  server.script = () => rest.answer;
  const { lastEventId: _, ...call } = a.call();
  const headers = new Map([["last-event-id", "e1"]]);
  const answered = await shared.listen({
    ...call,
    headers: {
      get: (name) => headers.get(name) ?? null,
      has: (name) => headers.has(name),
      forEach: (callback) => headers.forEach(callback),
    },
  });
  const resumed = relay.sourceReader(answered.body);
  filled.body.finish();
  await stream.readAll();
  const { id } = server.of("tools/call")[0]!.message;
  rest.filled.send(eventOf({ jsonrpc: "2.0", id, result: {} }));
  rest.filled.body.finish();
  await resumed.readAll();
  assertEquals(messagesIn(resumed).map(({ id }) => id), [1]);
  assertEquals(shared.stats().inFlight, 0);
});

Deno.test("a stream of a session that is lost cannot be gone on with; the session itself goes on", async () => {
  const { server, shared, a } = await setup();
  const { answer, filled } = server.events();
  server.script = ({ message }) => message.method === "tools/call" ? answer : undefined;
  const stream = await a.streamed(tool(1));
  filled.send("id: e1\ndata:\n\n");
  await stream.read();
  filled.body.fail(new ProxyError("upstream_closed", "reset"));
  await stream.readAll();
  restart(server);
  for (let attempt = 0; attempt < 2; attempt++) {
    assertEquals((await shared.listen(a.call({ lastEventId: "e1" }))).status, 400);
  }
  assertEquals(server.calls.filter(({ kind }) => kind === "listen").length, 1);
  assertEquals(JSON.parse(await a.ask(tool(2))).id, 2);
});

Deno.test("R82 event ids of a stream that are known for its own are capped: the oldest are forgotten", async () => {
  const { server, shared, a } = await setup();
  const { answer, filled } = server.events();
  server.script = () => answer;
  const stream = await a.streamed(tool(1));
  for (let n = 0; n <= 256; n++) filled.send(`id: e${n}\ndata:\n\n`);
  filled.body.fail(new ProxyError("upstream_closed", "reset"));
  await stream.readAll();
  server.script = () => server.events().answer;
  assertEquals((await shared.listen(a.call({ lastEventId: "e0" }))).status, 400);
  assertEquals((await shared.listen(a.call({ lastEventId: "e1" }))).status, 200);
});

Deno.test("R82 broken streams that wait to be gone on with are capped", async () => {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const shared = sharedUpstream(server, sharedOptions(clock, { maxBrokenStreams: 3 }));
  const a = await SharedClient.join(shared);
  for (let n = 0; n < 5; n++) {
    const { answer, filled } = server.events();
    server.script = () => answer;
    const stream = await a.streamed(tool(n));
    filled.send(`id: e${n}\ndata:\n\n`);
    filled.body.finish();
    await stream.readAll();
  }
  assertEquals(shared.stats().inFlight, 3);
  assertEquals((await shared.listen(a.call({ lastEventId: "e1" }))).status, 400);
  await a.terminate();
  assertEquals(shared.stats().inFlight, 0);
});
