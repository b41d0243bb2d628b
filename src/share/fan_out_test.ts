import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";
import { sharedUpstream } from "./mod.ts";

const { eventOf, FakeServer, messagesIn, SharedClient, sharedOptions, textOf } = share;

function setup(bounds = {}) {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const shared = sharedUpstream(server, sharedOptions(clock, bounds));
  const join = (capabilities = {}) => SharedClient.join(shared, { capabilities });
  return { clock, server, shared, join };
}

const notification = (method: string, params: unknown = {}) => ({
  jsonrpc: "2.0",
  method: `notifications/${method}`,
  params,
});

async function read(...streams: Awaited<ReturnType<share.SharedClient["listen"]>>[]) {
  for (const stream of streams) await stream.readAll();
}

Deno.test("the hub listens once, while anybody does, and members get no event ids of the server's", async () => {
  const { server, shared, join } = setup();
  const [a, b] = [await join(), await join()];
  const streams = await Promise.all([a.listen(), b.listen()]);
  assertEquals(server.streams.length, 1);
  server.stream.send(eventOf(notification("tools/list_changed"), "9"));
  await read(...streams);
  for (const { events } of streams) {
    assertEquals(events.map(({ id, event, data }) => [id, event, data]), [
      [undefined, "message", JSON.stringify(notification("tools/list_changed"))],
    ]);
  }
  assertEquals(shared.stats().listening, 2);
  await a.terminate();
  await relay.settled();
  assertEquals([streams[0]!.ending, server.stream.aborted], [null, false]);
  await b.terminate();
  assertEquals(server.stream.aborted, true);
});

Deno.test("R50 99 of 100 clients hear everything while one does not read; it is told why and cut off", async () => {
  const { server, shared, join } = setup({ maxQueuedMessages: 50 });
  const clients = await Promise.all(Array.from({ length: 100 }, () => join()));
  const bodies = await Promise.all(clients.map(async (client) => {
    const answer = await shared.listen(client.call());
    return answer.body;
  }));
  const slow = bodies[42]!;
  const readers = bodies.filter((body) => body !== slow).map((body) => relay.sourceReader(body));
  for (let n = 0; n < 200; n++) {
    server.say(notification("tools/list_changed", { n }));
    if (n % 20 === 0) await Promise.all(readers.map((reader) => reader.readAll()));
  }
  await Promise.all(readers.map((reader) => reader.readAll()));
  for (const reader of readers) {
    assertEquals(messagesIn(reader).map(({ params }) => params!.n), Array.from(Array(200).keys()));
    assertEquals(reader.ending, undefined);
  }
  const late = relay.sourceReader(slow);
  await late.readAll();
  assertEquals(late.events.map(({ comments, data }) => [comments, data]), [[[
    " 51 messages were dropped because they were not read in time; this stream ends, open another",
  ], undefined]]);
  assertEquals(late.ending, null);
  const { slowMembers, listening, dropped } = shared.stats();
  assertEquals([slowMembers, listening], [1, 99]);
  assertEquals(dropped, { "notifications/tools/list_changed": 1 });
  // It may listen again.
  const again = await clients[42]!.listen();
  server.say(notification("prompts/list_changed"));
  await read(again);
  assertEquals(messagesIn(again).length, 1);
});

Deno.test("R50 the bytes that wait for a client are capped too", async () => {
  const { server, shared, join } = setup({ maxQueuedBytes: 1_000 });
  const a = await join({ sampling: {} });
  const { body } = await shared.listen(a.call());
  server.say({ jsonrpc: "2.0", id: 3, method: "sampling/createMessage" });
  server.say(notification("tools/list_changed", { long: "x".repeat(1_000) }));
  await relay.settled();
  assertEquals(shared.stats().slowMembers, 1);
  assert((await textOf(body)).startsWith(": 2 messages were dropped"));
  // A question that stood in its queue is not left open.
  const { id, error } = server.calls.at(-1)!.message;
  assertEquals([id, error!.code], [3, -32601]);
});

Deno.test("R89 a server that offers no stream is asked once, and members get its 405", async () => {
  const { server, shared, join } = setup();
  server.script = ({ kind }) => kind === "listen" ? server.json({}, 405) : undefined;
  const [a, b] = [await join(), await join()];
  const answers = await Promise.all([a, b, a].map((client) => shared.listen(client.call())));
  answers.push(await shared.listen(b.call()));
  assertEquals(answers.map(({ status }) => status), [405, 405, 405, 405]);
  assertEquals(server.calls.filter(({ kind }) => kind === "listen").length, 1);
});

Deno.test("another refusal to listen is told, and tried anew", async () => {
  const { server, shared, join } = setup();
  const a = await join();
  server.script = ({ kind }) => kind === "listen" ? server.json({}, 503) : undefined;
  assertEquals((await shared.listen(a.call())).status, 503);
  server.script = () => undefined;
  await a.listen();
  assertEquals(server.streams.length, 1);
});

Deno.test("a server that has not noticed yet that the last stream was closed is asked again", async () => {
  const { server, shared, join, clock } = setup();
  const a = await join();
  let refusals = 2;
  server.script = ({ kind }) =>
    kind === "listen" && refusals-- > 0 ? server.json({}, 409) : undefined;
  const listening = a.listen();
  for (let attempt = 0; attempt < 2; attempt++) {
    await relay.settled();
    clock.advance(1);
  }
  await listening;
  assertEquals(server.streams.length, 1);
  await a.terminate();
  refusals = Infinity;
  const b = await join();
  const refused = shared.listen(b.call());
  await relay.settled();
  await shared.close();
  assertEquals([(await refused).status, clock.timers], [409, 0]);
});

Deno.test("the stream of the server is taken up again with the last event id, unseen by members", async () => {
  const { server, join, clock } = setup();
  const a = await join();
  const stream = await a.listen();
  server.stream.send(eventOf(notification("tools/list_changed", { n: 1 }), "42"));
  await relay.settled();
  server.stream.body.fail(new ProxyError("upstream_closed", "reset"));
  await relay.settled();
  clock.advance(1);
  await relay.settled();
  assertEquals(server.streams.length, 2);
  assertEquals(server.calls.at(-1)!.call.lastEventId, "42");
  server.stream.send(`retry: 10\ndata: junk\n\n`);
  server.say(notification("tools/list_changed", { n: 2 }));
  server.stream.body.finish();
  await relay.settled();
  clock.advance(9);
  await relay.settled();
  assertEquals(server.streams.length, 2);
  clock.advance(2);
  await relay.settled();
  assertEquals(server.streams.length, 3);
  await read(stream);
  assertEquals(messagesIn(stream).map(({ params }) => params!.n), [1, 2]);
  assertEquals(stream.ending, undefined);
});

Deno.test("a stream of the server that cannot be had again ends those of the members", async () => {
  const { server, join, clock, shared } = setup();
  const stream = await (await join()).listen();
  await stream.read();
  server.script = ({ kind }) => kind === "listen" ? server.json({}, 500) : undefined;
  server.stream.body.finish();
  for (let attempt = 0; attempt < 5; attempt++) {
    await relay.settled();
    clock.advance(1);
  }
  await relay.settled();
  assert(stream.ending instanceof ProxyError);
  assertEquals([shared.stats().listening, server.calls.length], [0, 2 + 1 + 3]);
});

Deno.test("R42 an event over the limit is dropped and counted, and the stream goes on", async () => {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const shared = sharedUpstream(server, { ...sharedOptions(clock), maxEventBytes: 500 });
  const stream = await (await SharedClient.join(shared)).listen();
  server.stream.send(eventOf(notification("tools/list_changed"), "1") + "x".repeat(501));
  await relay.settled();
  clock.advance(1);
  await relay.settled();
  server.say(notification("prompts/list_changed"));
  await read(stream);
  assertEquals(messagesIn(stream).length, 2);
  assertEquals(server.calls.at(-1)!.call.lastEventId, null);
  assertEquals(shared.stats().dropped, { "(event over the limit)": 1 });
});

Deno.test("what names nobody is dropped and counted by method, in bounded memory", async () => {
  const { server, shared, join } = setup();
  const stream = await (await join()).listen();
  server.say(notification("vendor"));
  server.say({ jsonrpc: "2.0", id: 77, result: {} });
  server.say(notification("progress", { progressToken: 5 }));
  server.say(notification("resources/updated", { uri: "a:b" }));
  server.say(notification("resources/updated", {}));
  server.say({ jsonrpc: "2.0" });
  server.stream.send("data: no JSON\n\n");
  server.say({ jsonrpc: "2.0", method: "odd\nname" });
  await read(stream);
  assertEquals(messagesIn(stream), []);
  assertEquals(shared.stats().dropped, {
    "notifications/vendor": 1,
    "(response)": 1,
    "notifications/progress": 1,
    "notifications/resources/updated": 2,
    "(no JSON-RPC)": 2,
    "(odd method name)": 1,
  });
  for (let n = 0; n < 200; n++) server.say(notification(`v${n}`));
  await relay.settled();
  assertEquals(Object.keys(shared.stats().dropped).length, 65);
});

Deno.test("progress that comes where the server speaks first goes to whose token it names", async () => {
  const { server, join } = setup();
  const [a, b] = [await join(), await join()];
  const streams = [await a.listen(), await b.listen()];
  server.script = () => server.events().answer;
  const params = { _meta: { progressToken: "t" } };
  await a.exchange({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  const { progressToken } = server.of("tools/call")[0]!.message.params!._meta!;
  server.say(notification("progress", { progressToken, progress: 1 }));
  await read(...streams);
  assertEquals(streams.map(messagesIn).map((got) => got.map(({ params }) => params)), [
    [{ progressToken: "t", progress: 1 }],
    [],
  ]);
});

Deno.test("list changes that come on the answer to one member are told to all that listen", async () => {
  const { server, join } = setup();
  const [a, b] = [await join(), await join()];
  const listening = [await a.listen(), await b.listen()];
  const { answer, filled } = server.events();
  server.script = ({ message }) => message.method === "tools/call" ? answer : undefined;
  const stream = await a.streamed({ jsonrpc: "2.0", id: 1, method: "tools/call" });
  filled.send(eventOf(notification("resources/list_changed")));
  filled.send(eventOf(notification("message", { level: "info" })));
  await read(stream, ...listening);
  const methods = [stream, ...listening].map((each) =>
    messagesIn(each).map(({ method }) => method)
  );
  assertEquals(methods, [
    ["notifications/resources/list_changed", "notifications/message"],
    [],
    ["notifications/resources/list_changed"],
  ]);
});

Deno.test("a member may listen on several streams: each message comes on the newest alone", async () => {
  const { server, join, shared } = setup({ maxMemberStreams: 2 });
  const a = await join();
  const older = await a.listen();
  const { body } = await shared.listen(a.call());
  assertEquals((await shared.listen(a.call())).status, 409);
  const newer = relay.sourceReader(body);
  server.say(notification("tools/list_changed"));
  await read(older, newer);
  assertEquals([messagesIn(older).length, messagesIn(newer).length], [0, 1]);
  body.discard();
  server.say(notification("prompts/list_changed"));
  await read(older);
  assertEquals([messagesIn(older).length, server.stream.aborted], [1, false]);
});

Deno.test("a stream on which a member listens can be watched and ended", async () => {
  const { server, shared, join } = setup();
  const { body } = await shared.listen((await join()).call());
  server.say(notification("tools/list_changed"));
  await relay.settled();
  const seen: number[] = [];
  body.tap((bytes) => seen.push(bytes.length));
  server.say(notification("tools/list_changed"));
  await relay.settled();
  assertEquals(seen.length, 2);
  assertEquals([body.wholeNow(1), await body.bytesWithin(1), body.ended], [undefined, null, false]);
  let over = 0;
  body.whenOver(() => over++);
  body.end();
  body.whenOver(() => over++);
  assertEquals([over, body.ended, server.stream.aborted], [2, false, true]);
  assertEquals((await textOf(body)).match(/list_changed/g)!.length, 2);
  assertEquals(body.ended, true);
});

Deno.test("a member that leaves while its stream is being opened leaves none behind", async () => {
  const { server, shared, join } = setup();
  const a = await join();
  const { answer, filled } = server.events();
  const late = Promise.withResolvers<typeof answer>();
  server.script = ({ kind }) => kind === "listen" ? late.promise : undefined;
  const listening = shared.listen(a.call());
  await a.terminate();
  late.resolve(answer);
  assertEquals((await listening).status, 404);
  assertEquals(filled.aborted, true);
  server.script = ({ kind }) =>
    kind === "listen" ? Promise.reject(new ProxyError("upstream_unreachable", "gone")) : undefined;
  const b = await join();
  await assertRejects(() => shared.listen(b.call()), ProxyError, "gone");
});
