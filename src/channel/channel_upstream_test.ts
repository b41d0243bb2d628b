import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import * as testing from "../testing/channel.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";

const { FakeChannels, ChannelClient } = testing;
const { settled, sourceReader } = relay;
const { textOf, messagesIn } = share;

const LOG = { jsonrpc: "2.0", method: "notifications/message", params: { level: "info" } };

function logLine(data: unknown) {
  return { ...LOG, params: { level: "info", data } };
}

async function json(answering: ReturnType<typeof ChannelClient.prototype.ask>) {
  const answer = await answering;
  assertEquals(answer.kind, "json");
  return JSON.parse(await textOf(answer.body));
}

Deno.test("initialize opens a channel, and its session has an id of 256 random bits", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const other = await fake.join();
  assert(/^[0-9a-f]{64}$/.test(client.sessionId!));
  assertNotEquals(client.sessionId, other.client.sessionId);
  assertEquals(fake.channels.length, 2);
  const pinging = client.ask("a", "ping");
  assertEquals(channel.messages.at(-1), { jsonrpc: "2.0", id: "a", method: "ping", params: {} });
  assertEquals(other.channel.messages.length, 1);
  channel.answer("ping", { ok: 1 });
  assertEquals(await json(pinging), { jsonrpc: "2.0", id: "a", result: { ok: 1 } });
});

Deno.test("R81 a session that is not known is a 404 on every call, without one it is a 400", async () => {
  const fake = new FakeChannels();
  const client = new ChannelClient(fake.upstream);
  client.sessionId = "nobody";
  const calls = () => [
    client.ask(1),
    client.notify(LOG),
    client.listen(),
    client.terminate(),
  ];
  for (const call of calls()) assertEquals((await call).status, 404);
  client.sessionId = undefined;
  for (const call of calls()) assertEquals((await call).status, 400);
  assertEquals((await json(client.ask(7))).id, 7);
  assertEquals(fake.channels.length, 0);
});

Deno.test("terminate closes the channel and forgets the session", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const stream = sourceReader((await client.listen()).body);
  assertEquals((await client.terminate()).status, 200);
  assert(channel.closed);
  await stream.readAll();
  assertEquals(stream.ending, null);
  assertEquals((await client.ask(1)).status, 404);
  assertEquals(fake.clock.timers, 0);
});

Deno.test("an initialize that the server refuses leaves no session and no channel", async () => {
  const fake = new FakeChannels();
  const client = new ChannelClient(fake.upstream);
  const answering = client.ask(0, "initialize");
  await settled();
  fake.channels[0]!.say({ jsonrpc: "2.0", id: 0, error: { code: -32602, message: "no" } });
  const answer = await answering;
  assertEquals([answer.status, answer.sessionId], [200, undefined]);
  assert(fake.channels[0]!.closed);
  assertEquals(fake.upstream.stats().sessions, 0);
});

Deno.test("a channel that does not open is told, and takes no place", async () => {
  const failure = new ProxyError("upstream_unreachable", "no");
  const fake = new FakeChannels({
    open: () => Promise.reject(failure),
    limits: { maxSessions: 1 },
  });
  const client = new ChannelClient(fake.upstream);
  for (const _ of [1, 2]) {
    const error = await assertRejects(() => client.ask(0, "initialize"), ProxyError);
    assertEquals(error.kind, "upstream_unreachable");
  }
});

Deno.test("a client that leaves before its initialize is answered leaves no channel behind", async () => {
  const fake = new FakeChannels();
  const client = new ChannelClient(fake.upstream);
  const leaving = new AbortController();
  const message = { jsonrpc: "2.0", id: 0, method: "initialize" };
  const answering = client.exchange(message, leaving.signal);
  await settled();
  leaving.abort();
  const error = await assertRejects(() => answering, ProxyError);
  assertEquals(error.kind, "client_closed");
  assert(fake.channels[0]!.closed);
});

Deno.test("sessions over the cap are refused with upstream_saturated", async () => {
  const fake = new FakeChannels({ limits: { maxSessions: 1 } });
  const { client } = await fake.join();
  const error = await assertRejects(
    () => new ChannelClient(fake.upstream).ask(0, "initialize"),
    ProxyError,
  );
  assertEquals([error.kind, error.retrySafe], ["upstream_saturated", true]);
  assertEquals(error.headers, { "retry-after": "10" });
  await client.terminate();
  await fake.join();
});

Deno.test("R82 at the cap the longest idle session gives way, none that is in use or was lately", async () => {
  const fake = new FakeChannels({ limits: { sessionEvictIdleMs: 1_000 } });
  const listens = await fake.join();
  const stream = (await listens.client.listen()).body;
  const waits = await fake.join();
  const answering = waits.client.ask(1);
  const idle = await fake.join();
  fake.clock.advance(999);
  const refused = () =>
    assertRejects(() => new ChannelClient(fake.upstream).ask(0, "initialize"), ProxyError);
  assertEquals((await refused()).kind, "upstream_saturated");
  fake.clock.advance(1);
  const { channel } = await fake.join();
  assertEquals(fake.channels.map(({ closed }) => closed), [false, false, true, false]);
  assertEquals((await idle.client.ask(1)).status, 404);
  assertEquals(fake.upstream.stats().sessions, 3);
  // Of several that may go, the one that was unused for longest.
  fake.clock.advance(1);
  waits.channel.answer("tools/call");
  assertEquals((await answering).status, 200);
  stream.discard();
  channel.say(LOG);
  fake.clock.advance(500);
  await waits.client.notify({ jsonrpc: "2.0", method: "notifications/roots/list_changed" });
  fake.clock.advance(1_000);
  await fake.join();
  assertEquals(fake.channels.map(({ closed }) => closed), [false, false, true, true, false]);
});

Deno.test("a new session begins when nothing is left of the one that gave way", async () => {
  const fake = new FakeChannels({ limits: { maxSessions: 1, sessionEvictIdleMs: 0 } });
  const { channel } = await fake.join();
  const gone = Promise.withResolvers<void>();
  channel.close = () => gone.promise;
  const joining = fake.upstream.exchange(
    new ChannelClient(fake.upstream).call(),
    new TextEncoder().encode('{"jsonrpc":"2.0","id":0,"method":"initialize"}'),
  );
  await settled();
  assertEquals(fake.channels.length, 1);
  gone.resolve();
  await settled();
  fake.channels[1]!.answer("initialize", { protocolVersion: "2025-11-25" });
  assertEquals((await joining).status, 200);
});

Deno.test("an answer is an event stream where progress comes first, by its token", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const listening = sourceReader((await client.listen()).body);
  const [first, second] = [7, "7"].map((progressToken, at) =>
    client.ask(at + 1, "tools/call", { _meta: { progressToken } })
  );
  const progress = (progressToken: unknown) => ({
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken, progress: 1 },
  });
  channel.say(progress("7"));
  const reader = sourceReader((await second!).body);
  channel.say({ jsonrpc: "2.0", id: 2, result: {} });
  channel.say({ jsonrpc: "2.0", id: 1, result: {} });
  channel.say(progress("7"));
  assertEquals((await json(first!)).id, 1);
  await reader.readAll();
  await listening.readAll();
  assertEquals(messagesIn(reader), [progress("7"), { jsonrpc: "2.0", id: 2, result: {} }]);
  assertEquals(reader.ending, null);
  // What comes late is no request's any more.
  assertEquals(messagesIn(listening), [progress("7")]);
});

Deno.test("what the server tells by itself goes to GET, else to the oldest request, else it waits", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  channel.say(logLine(1));
  assertEquals(fake.upstream.stats().waiting, 1);
  const first = sourceReader((await client.ask(1)).body);
  const second = client.ask(2);
  channel.say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  await first.readAll();
  assertEquals(messagesIn(first).length, 2);
  const listening = sourceReader((await client.listen()).body);
  channel.say(logLine(2));
  channel.say({ jsonrpc: "2.0", id: 1, result: {} });
  channel.say({ jsonrpc: "2.0", id: 2, result: {} });
  assertEquals((await json(second)).id, 2);
  await first.readAll();
  await listening.readAll();
  assertEquals(messagesIn(listening), [logLine(2)]);
  assertEquals(messagesIn(first).map(({ id, method }) => method ?? id), [
    "notifications/message",
    "notifications/tools/list_changed",
    1,
  ]);
});

Deno.test("what waits is bounded: the oldest goes and is counted", async () => {
  const fake = new FakeChannels({ limits: { maxWaitingMessages: 2 } });
  const { client, channel } = await fake.join();
  for (const n of [1, 2, 3]) channel.say(logLine(n));
  assertEquals(fake.upstream.stats().waiting, 2);
  channel.say(logLine("x".repeat(900)));
  assertEquals(fake.upstream.stats().waiting, 1);
  const reader = sourceReader((await client.listen()).body);
  await reader.readAll();
  assertEquals(messagesIn(reader).map(({ params }) => String(params!.data)[0]), ["x"]);
  assertEquals(fake.upstream.stats().dropped, { "notifications/message": 3 });
});

Deno.test("a request whose id is in flight is refused with -32600 and not sent", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const first = client.ask(1, "tools/call");
  const { id, error } = await json(client.ask(1, "tools/list"));
  assertEquals([id, error.code], [1, -32600]);
  assertEquals(channel.messages.length, 2);
  channel.answer("tools/call");
  assertEquals((await json(first)).id, 1);
});

Deno.test("requests in flight are capped; those for which nobody waits give way", async () => {
  const fake = new FakeChannels({ limits: { maxRequests: 2 } });
  const { client, channel } = await fake.join();
  const leaving = new AbortController();
  const left = client.exchange({ jsonrpc: "2.0", id: 1, method: "tools/call" }, leaving.signal);
  const second = client.ask(2, "a");
  const error = await assertRejects(() => client.ask(3), ProxyError);
  assertEquals(error.kind, "upstream_saturated");
  leaving.abort();
  await assertRejects(() => left, ProxyError);
  const third = client.ask(3, "b");
  channel.say({ jsonrpc: "2.0", id: 1, result: {} });
  channel.answer("a");
  channel.answer("b");
  await Promise.all([second, third]);
  assertEquals(fake.upstream.stats().dropped, { "(response)": 1 });
});

Deno.test("a batch is answered as one, whichever way the responses come", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const batch = [
    { jsonrpc: "2.0", id: 1, method: "a" },
    LOG,
    { jsonrpc: "2.0", id: 2, method: "b" },
  ];
  const answering = client.exchange(batch);
  assertEquals(JSON.parse(channel.sent.at(-1)!), batch);
  const results = [1, 2].map((id) => ({ jsonrpc: "2.0", id, result: {} }));
  channel.say(results);
  assertEquals(await json(answering), results);
  const streamed = client.exchange(batch);
  channel.say(results[0]);
  channel.say(LOG);
  const reader = sourceReader((await streamed).body);
  channel.say([results[1]]);
  await reader.readAll();
  assertEquals<unknown>(messagesIn(reader), [results[0], LOG, results[1]]);
  assertEquals(reader.ending, null);
});

Deno.test("one of a batch whose id is in flight is refused, the others go", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const first = client.ask(1);
  const answering = client.exchange([
    { jsonrpc: "2.0", id: 1, method: "a" },
    { jsonrpc: "2.0", id: 2, method: "b" },
  ]);
  assertEquals(JSON.parse(channel.sent.at(-1)!).length, 1);
  channel.answer("tools/call");
  channel.say({ jsonrpc: "2.0", id: 2, result: {} });
  await first;
  const answers = await json(answering);
  assertEquals(answers.map(({ id, error }: share.Rpc) => [id, error?.code]), [
    [1, -32600],
    [2, undefined],
  ]);
});

Deno.test("a channel that ends fails every request in flight, ends streams, and the session is gone", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const listening = sourceReader((await client.listen()).body);
  const plain = client.ask(1);
  const streamed = client.ask("2", "tools/call", { _meta: { progressToken: 1 } });
  const params = { progressToken: 1, progress: 0 };
  channel.say({ jsonrpc: "2.0", method: "notifications/progress", params });
  const reader = sourceReader((await streamed).body);
  channel.breakOff(new ProxyError("upstream_closed", "The process ended with code 3."));
  assertEquals((await plain).status, 502);
  const error = { code: -31502, message: "The process ended with code 3." };
  assertEquals(await json(plain), { jsonrpc: "2.0", id: 1, error });
  await reader.readAll();
  await listening.readAll();
  assertEquals(messagesIn(reader).at(-1), { jsonrpc: "2.0", id: "2", error });
  assertEquals([reader.ending, listening.ending], [null, null]);
  assertEquals((await client.ask(3)).status, 404);
  assertEquals(fake.clock.timers, 0);
});

Deno.test("what cannot be sent fails its request alone", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  channel.sendFailure = new ProxyError("upstream_saturated", "full");
  const answer = await client.ask(1);
  assertEquals([answer.status, (await json(Promise.resolve(answer))).id], [503, 1]);
  await assertRejects(() => client.notify(LOG), ProxyError, "full");
  channel.sendFailure = undefined;
  assertEquals((await client.notify(LOG)).status, 202);
});

Deno.test("a request that its client cancels is answered, and a late response dropped", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const asking = client.ask(1);
  const params = { requestId: 1 };
  await client.notify({ jsonrpc: "2.0", method: "notifications/cancelled", params });
  assertEquals(channel.messages.at(-1)!.params, params);
  assertEquals((await json(asking)).error.code, -31499);
  channel.say({ jsonrpc: "2.0", id: 1, result: {} });
  assertEquals(fake.upstream.stats().dropped, { "(response)": 1 });
});

Deno.test("R61 a request for which nothing comes in time is a 504, and cancelled at the server", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const asking = client.ask("x");
  fake.clock.advance(10_000);
  const answer = await asking;
  assertEquals(answer.status, 504);
  assertEquals(channel.messages.at(-1)!.method, "notifications/cancelled");
  assertEquals(channel.messages.at(-1)!.params!.requestId, "x");
  assertEquals(fake.upstream.stats().inFlight, 0);
});

Deno.test("cancellation: an initialize has the time of a start, and is given up without being cancelled", async () => {
  // 2025-11-25 basic/utilities/cancellation: "The initialize request MUST NOT be cancelled by clients".
  const fake = new FakeChannels();
  const joining = new ChannelClient(fake.upstream).exchange({
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: {},
  });
  await settled();
  fake.clock.advance(29_999);
  const channel = fake.channels[0]!;
  assertEquals(channel.closed, false);
  fake.clock.advance(1);
  assertEquals((await joining).status, 504);
  assertEquals([channel.messages.map(({ method }) => method), channel.closed], [
    ["initialize"],
    true,
  ]);
});

Deno.test("an error without an id is that of the only request in flight", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const asking = client.ask(5);
  const error = { code: -32700, message: "what?" };
  channel.say({ jsonrpc: "2.0", id: null, error });
  assertEquals(await json(asking), { jsonrpc: "2.0", id: 5, error });
});

Deno.test("R49 a reader that is alone holds the channel back as long as it likes", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const { body } = await client.listen();
  for (let n = 0; n < 70; n++) channel.say(logLine("x".repeat(1_000)));
  assert(channel.paused);
  fake.clock.advance(5_000);
  assert(channel.paused);
  const reader = sourceReader(body);
  await reader.readAll();
  assert(!channel.paused);
  assertEquals([messagesIn(reader).length, reader.ending], [70, undefined]);
});

Deno.test("R50 a reader behind which others wait is given up, and they go on", async () => {
  const fake = new FakeChannels();
  const { client, channel } = await fake.join();
  const { body } = await client.listen();
  for (let n = 0; n < 70; n++) channel.say(logLine("x".repeat(1_000)));
  fake.clock.advance(5_000);
  assert(channel.paused);
  const asking = client.ask(1);
  fake.clock.advance(999);
  assert(channel.paused);
  fake.clock.advance(1);
  assert(!channel.paused);
  channel.answer("tools/call");
  await asking;
  const reader = sourceReader(body);
  await reader.readAll();
  assert(reader.ending instanceof ProxyError);
});

Deno.test("GET streams of a session are capped with 409, and have nothing to resume", async () => {
  const fake = new FakeChannels();
  const { client } = await fake.join();
  const answers = [await client.listen(), await client.listen(), await client.listen()];
  assertEquals(answers.map(({ status }) => status), [200, 200, 409]);
  assertEquals((await client.listen({ lastEventId: "e" })).status, 400);
  answers[0]!.body.discard();
  assertEquals((await client.listen()).status, 200);
});

Deno.test("R82 a session that nobody uses is closed, one with a stream is not", async () => {
  const fake = new FakeChannels();
  const [idle, busy] = [await fake.join(), await fake.join()];
  const { body } = await busy.client.listen();
  const reader = sourceReader(body);
  for (let n = 0; n < 4; n++) {
    fake.clock.advance(50_000);
    busy.channel.say(LOG);
    await reader.readAll();
  }
  assertEquals([idle.channel.closed, busy.channel.closed], [true, false]);
  body.discard();
  fake.clock.advance(200_000);
  assert(busy.channel.closed);
});

Deno.test("what is no JSON-RPC is dropped and counted", async () => {
  const fake = new FakeChannels();
  const { channel } = await fake.join();
  for (const text of ["{", "3", "[]", "{}"]) channel.say(text);
  assertEquals(fake.upstream.stats().dropped, { "(no JSON-RPC)": 4 });
});

Deno.test("close() ends all sessions, those being opened included", async () => {
  const opening = Promise.withResolvers<testing.FakeChannel>();
  const fake = new FakeChannels({ open: () => opening.promise });
  const answering = new ChannelClient(fake.upstream).ask(0, "initialize");
  const closing = fake.upstream.close();
  const made = new testing.FakeChannel({ message: () => {}, over: () => {} });
  opening.resolve(made);
  await closing;
  assert(made.closed);
  assertEquals((await answering).sessionId, undefined);
  const late = () => new ChannelClient(fake.upstream).ask(0, "initialize");
  await assertRejects(late, ProxyError);
});
