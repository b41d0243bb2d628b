/**
 * Requests of 2026-07-28 on channels: names, who is told what, cancellation, and how long a channel lives.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import * as testing from "../testing/channel.ts";
import * as modernChannel from "../testing/modern_channel.ts";

const { jsonOf, Modern, readerOf, settled } = modernChannel;

const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
const LOG_LEVEL = "io.modelcontextprotocol/logLevel";

Deno.test("2026-07-28 stdio: requests need no initialize, and clients of one principal share a channel", async () => {
  const modern = new Modern();
  const [one, two] = [await modern.ask(1), await modern.ask(1)];
  const other = await modern.ask(1, { principal: "q" });
  assertEquals(modern.fake.channels.length, 2);
  assertEquals(modern.fake.upstream.stats().sessionless, 2);
  const [first, second] = modern.fake.channels[0]!.messages;
  assert(
    typeof first!.id === "number" && typeof second!.id === "number" && first!.id !== second!.id,
  );
  modern.fake.channels[0]!.say({ jsonrpc: "2.0", id: second!.id, result: { n: 2 } });
  modern.fake.channels[0]!.say({ jsonrpc: "2.0", id: first!.id, result: { n: 1 } });
  modern.fake.channels[1]!.answer("tools/call", { n: 3 });
  const answers = [await jsonOf(one), await jsonOf(two), await jsonOf(other)];
  assertEquals(answers.map(({ id, result }) => [id, result.n]), [[1, 1], [1, 2], [1, 3]]);
  await modern.end();
});

Deno.test("ids and tokens keep their type, and everything else its bytes", async () => {
  const modern = new Modern();
  const text =
    '{"jsonrpc":"2.0", "id":"a\\u0062", "method":"x","params":{"_meta":{"progressToken":1.0},"n":1.50}}';
  const answer = modern.fake.upstream.exchange(modern.call(), new TextEncoder().encode(text));
  await settled();
  const [sent] = modern.channel.sent;
  const { id, params } = modern.channel.messages[0]!;
  assert(typeof id === "string" && typeof params!._meta!.progressToken === "number");
  assertEquals(
    sent,
    text.replace('"a\\u0062"', `"${id}"`).replace("1.0}", `${params!._meta!.progressToken}}`),
  );
  modern.channel.say(
    `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${
      params!._meta!.progressToken
    },"progress":0.50}}`,
  );
  modern.channel.say(`{"result":{"x":1e2},"id":"${id}","jsonrpc":"2.0"}`);
  const { reader } = await readerOf({ answer, abort: new AbortController() });
  assertEquals(reader.events.map(({ data }) => data), [
    '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1.0,"progress":0.50}}',
    '{"result":{"x":1e2},"id":"a\\u0062","jsonrpc":"2.0"}',
  ]);
  assertEquals(reader.ending, null);
  await modern.end();
});

Deno.test("2026-07-28 streamable-http: errors that have a status get it, all others are answers", async () => {
  const modern = new Modern();
  // It shows that it knows the revision, so that it is kept.
  const first = await modern.ask(0);
  modern.channel.answer("tools/call");
  await first.answer;
  const statuses: number[] = [];
  for (const code of [-32601, -32020, -32021, -32022, -32602, -32603, 7]) {
    const asking = await modern.ask(`${code}`);
    const { id } = modern.channel.messages.at(-1)!;
    modern.channel.say({ jsonrpc: "2.0", id, error: { code, message: "m", data: { a: 1 } } });
    const { status, ...answer } = await jsonOf(asking);
    assertEquals(answer, {
      jsonrpc: "2.0",
      id: `${code}`,
      error: { code, message: "m", data: { a: 1 } },
    });
    statuses.push(status);
  }
  assertEquals(statuses, [404, 400, 400, 400, 200, 200, 200]);
  await modern.end();
});

Deno.test("2026-07-28 subscriptions: what a subscription delivers has the client's id, and goes to it alone", async () => {
  const modern = new Modern();
  const [one, two] = [await modern.listen("s"), await modern.listen(5)];
  const [first, second] = modern.channel.messages;
  const tell = (id: unknown, method: string) =>
    modern.channel.say({ jsonrpc: "2.0", method, params: { _meta: { [SUBSCRIPTION]: id } } });
  tell(first!.id, "notifications/subscriptions/acknowledged");
  tell(second!.id, "notifications/subscriptions/acknowledged");
  tell(second!.id, "notifications/tools/list_changed");
  // Of nobody's subscription, and of none.
  tell("other", "notifications/tools/list_changed");
  modern.channel.say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  const [a, b] = [await readerOf(one), await readerOf(two)];
  const told = ({ messages }: typeof a) =>
    messages().map(({ method, params }) => [method.split("/").at(-1), params._meta[SUBSCRIPTION]]);
  assertEquals([told(a), told(b)], [
    [["acknowledged", "s"]],
    [["acknowledged", 5], ["list_changed", 5]],
  ]);
  assertEquals(modern.fake.upstream.stats().dropped, { "notifications/tools/list_changed": 2 });
  // It may be silent for as long as it likes.
  modern.fake.clock.advance(10_000_000);
  await settled();
  assertEquals([a.reader.ending, modern.channel.closed], [undefined, false]);
  modern.channel.say({
    jsonrpc: "2.0",
    id: first!.id,
    result: { _meta: { [SUBSCRIPTION]: first!.id } },
  });
  await a.reader.readAll();
  const { jsonrpc: _, ...last } = a.messages().at(-1);
  assertEquals([last, a.reader.ending], [
    { id: "s", result: { _meta: { [SUBSCRIPTION]: "s" } } },
    null,
  ]);
  await modern.end();
});

Deno.test("2026-07-28 subscriptions: one that the server cancels, or whose process ends, ends without a response", async () => {
  for (const how of ["cancelled", "over"] as const) {
    const modern = new Modern();
    const listening = await modern.listen(1);
    const { id } = modern.channel.messages[0]!;
    const params = { _meta: { [SUBSCRIPTION]: id } };
    modern.channel.say({
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params,
    });
    const { reader, messages } = await readerOf(listening);
    const requestId = id;
    if (how === "over") modern.channel.breakOff();
    else {
      modern.channel.say({
        jsonrpc: "2.0",
        method: "notifications/cancelled",
        params: { requestId },
      });
    }
    await reader.readAll();
    assertEquals([messages().length, reader.ending], [1, null]);
    assertEquals(modern.channel.messages.length, 1);
    await modern.end();
  }
});

Deno.test("2026-07-28 logging: log lines go to the only request that wants lines so severe, else to nobody", async () => {
  const modern = new Modern();
  const log = (level: string) =>
    modern.channel.say({ jsonrpc: "2.0", method: "notifications/message", params: { level } });
  await modern.ask(1);
  const errors = await modern.ask(2, { params: { _meta: { [LOG_LEVEL]: "error" } } });
  log("info");
  log("critical");
  const { messages, reader } = await readerOf(errors);
  assertEquals(messages().map(({ params }) => params.level), ["critical"]);
  await modern.ask(3, { params: { _meta: { [LOG_LEVEL]: "debug" } } });
  log("error");
  log("strange");
  await reader.readAll();
  assertEquals(messages().length, 1);
  assertEquals(modern.fake.upstream.stats().dropped, { "notifications/message": 3 });
  await modern.end();
});

Deno.test("2026-07-28 stdio, Cancellation: who leaves cancels the request, before its answer begins and within it", async () => {
  const modern = new Modern();
  const early = await modern.ask("a");
  early.abort.abort();
  await assertRejects(() => early.answer, ProxyError, "gone");
  const late = await modern.ask(2, { params: { _meta: { progressToken: "t" } } });
  const { id, params } = modern.channel.messages.at(-1)!;
  const progress = {
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken: params!._meta!.progressToken, progress: 1 },
  };
  modern.channel.say(progress);
  const { body } = await readerOf(late);
  body.discard();
  assertEquals(modern.channel.messages.at(-1)!.method, "notifications/cancelled");
  // Nothing further happens for it.
  late.abort.abort();
  modern.channel.say(progress);
  modern.channel.say({ jsonrpc: "2.0", id, result: {} });
  const cancelled = modern.channel.messages.filter(({ method }) =>
    method === "notifications/cancelled"
  );
  const [first] = modern.channel.messages;
  assertEquals(cancelled.map((message) => message.params!.requestId), [first!.id, id]);
  assertEquals(modern.fake.upstream.stats().inFlight, 0);
  await modern.end();
});

Deno.test("whenever a client leaves, what was sent for it is cancelled", async () => {
  const modern = new Modern();
  await modern.ask("first");
  const text = new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"x"}');
  for (let turns = 0; turns < 20; turns++) {
    const abort = new AbortController();
    const answer = modern.fake.upstream.exchange(modern.call({ signal: abort.signal }), text);
    answer.catch(() => {});
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    abort.abort();
    await assertRejects(() => answer, ProxyError, "gone");
  }
  const sent = modern.channel.messages.filter(({ method }) => method === "x");
  const cancelled = modern.channel.messages.flatMap(({ params }) =>
    params?.["requestId"] as number ?? []
  );
  assert(sent.length > 0 && sent.length < 20);
  assertEquals(sent.map(({ id }) => id), cancelled);
  await modern.end();
});

Deno.test("a client that has gone from the start sends nothing, and one that leaves while the server starts neither", async () => {
  const opening = Promise.withResolvers<testing.FakeChannel>();
  const modern = new Modern({ open: () => opening.promise });
  const asking = await modern.ask(1);
  asking.abort.abort();
  await assertRejects(() => asking.answer, ProxyError, "gone");
  const channel = new testing.FakeChannel({ message: () => {}, over: () => {} });
  opening.resolve(channel);
  await settled();
  assertEquals(channel.sent, []);
  await modern.end();
  assert(channel.closed);
});

Deno.test("a request that is not answered in time is an error, and cancelled at the server", async () => {
  const modern = new Modern();
  const asking = await modern.ask("x");
  // Its server may have to start first; one that has said anything has started.
  modern.channel.say({ jsonrpc: "2.0", method: "notifications/message", params: {} });
  const second = await modern.ask("y");
  modern.fake.clock.advance(10_000);
  assertEquals((await jsonOf(second)).status, 504);
  modern.fake.clock.advance(20_000);
  const { status, id, error } = await jsonOf(asking);
  assertEquals([status, id, error.code], [504, "x", -31504]);
  assertEquals(modern.channel.messages.at(-1)!.method, "notifications/cancelled");
  // Silence is how some servers of earlier revisions answer.
  assert(modern.channel.closed);
  await modern.end();
});

Deno.test("basic/versioning: a process that was silent when asked what it speaks is not kept, a busy one is", async () => {
  const modern = new Modern();
  const calling = await modern.ask(1);
  const probing = await modern.ask(2, { method: "server/discover" });
  probing.abort.abort();
  assert(!modern.channel.closed);
  calling.abort.abort();
  // It has not been asked what it speaks since.
  assert(!modern.channel.closed);
  const again = await modern.ask(3, { method: "server/discover" });
  again.abort.abort();
  assert(modern.channel.closed);
  await modern.end();
});

Deno.test("R64 a process that ends fails what was in flight, and the next request starts another", async () => {
  const modern = new Modern();
  const asking = await modern.ask(1);
  modern.channel.breakOff(new ProxyError("upstream_closed", "It ended."));
  const { status, error } = await jsonOf(asking);
  assertEquals([status, error.message], [502, "It ended."]);
  const next = await modern.ask(2);
  assertEquals(modern.fake.channels.length, 2);
  modern.channel.answer("tools/call");
  assertEquals((await jsonOf(next)).id, 2);
  await modern.end();
});

Deno.test("basic/versioning: the error of a legacy server passes, and its process is not kept", async () => {
  const modern = new Modern();
  const asking = await modern.ask("d", { method: "server/discover" });
  modern.channel.say({ jsonrpc: "2.0", id: null, error: { code: -32600, message: "initialize!" } });
  assertEquals(await jsonOf(asking), {
    status: 200,
    jsonrpc: "2.0",
    id: "d",
    error: { code: -32600, message: "initialize!" },
  });
  assert(modern.channel.closed);
  assertEquals(modern.fake.upstream.stats().sessionless, 0);
  await modern.end();
});

Deno.test("basic/versioning: a process that has answered with a result, or a modern error, is kept", async () => {
  for (const said of [{ result: {} }, { error: { code: -32022, message: "m" } }]) {
    const modern = new Modern();
    await modern.ask(1, { method: "server/discover" });
    modern.channel.say({ jsonrpc: "2.0", id: modern.channel.messages[0]!.id, ...said });
    await settled();
    assert(!modern.channel.closed);
    await modern.end();
  }
});

Deno.test("a channel that nobody uses for long is closed, one with a request in flight is not", async () => {
  const modern = new Modern();
  await modern.ask(1);
  modern.channel.answer("tools/call");
  await modern.listen(2);
  modern.channel.say({
    jsonrpc: "2.0",
    method: "notifications/subscriptions/acknowledged",
    params: { _meta: { [SUBSCRIPTION]: modern.channel.messages.at(-1)!.id } },
  });
  modern.fake.clock.advance(500_000);
  await settled();
  assert(!modern.channel.closed);
  modern.channel.answer("subscriptions/listen");
  modern.fake.clock.advance(200_000);
  await settled();
  assert(modern.channel.closed);
  assertEquals(modern.fake.clock.timers, 0);
  await modern.end();
});

Deno.test("R82 channels of callers count with those of sessions, and requests on one are bounded", async () => {
  const modern = new Modern({ limits: { maxSessions: 2, maxRequests: 2 } });
  await modern.fake.join();
  await modern.ask(1, { principal: "a" });
  const over = await modern.ask("b", { principal: "b" });
  const refused = await assertRejects(() => over.answer, ProxyError);
  assertEquals([refused.kind, refused.idText], ["upstream_saturated", '"b"']);
  await modern.ask(2, { principal: "a" });
  const third = await modern.ask(3, { principal: "a" });
  assertEquals((await assertRejects(() => third.answer, ProxyError)).kind, "upstream_saturated");
  const joining = new testing.ChannelClient(modern.fake.upstream);
  await assertRejects(() => joining.ask(0, "initialize"), ProxyError, "limit");
  await modern.end();
});

Deno.test("a server that does not start is an error, and nothing is kept of it", async () => {
  const modern = new Modern({
    open: () => Promise.reject(new ProxyError("upstream_unreachable", "It did not start.")),
  });
  const asking = await modern.ask(1);
  await assertRejects(() => asking.answer, ProxyError, "did not start");
  assertEquals(modern.fake.upstream.stats().sessionless, 0);
  await modern.end();
});

Deno.test("a message that cannot be sent is an error of its request", async () => {
  const modern = new Modern();
  await modern.ask(1);
  modern.channel.answer("tools/call");
  modern.channel.sendFailure = new ProxyError("upstream_saturated", "It does not read.");
  const { status, error } = await jsonOf(await modern.ask(2));
  assertEquals([status, error.message], [503, "It does not read."]);
  await modern.end();
});

Deno.test("R50 a reader that does not read holds the channel back, and loses its stream where others wait", async () => {
  const modern = new Modern();
  const slow = await modern.listen(1);
  const { id } = modern.channel.messages[0]!;
  const tell = (size: number) =>
    modern.channel.say({
      jsonrpc: "2.0",
      method: "notifications/resources/updated",
      params: { _meta: { [SUBSCRIPTION]: id }, uri: "x".repeat(size) },
    });
  tell(1);
  const { body } = await slow.answer;
  tell(70_000);
  assert(modern.channel.paused);
  const other = await modern.ask(2);
  modern.fake.clock.advance(1_000);
  assert(!modern.channel.paused);
  await assertRejects(
    async () => {
      while (await body.next() !== null);
    },
    ProxyError,
    "not read in time",
  );
  modern.channel.answer("tools/call");
  await other.answer;
  await modern.end();
});

Deno.test("notifications pass, a cancellation by the client's id does not, and batches are none", async () => {
  const modern = new Modern();
  const notify = (message: unknown) =>
    modern.fake.upstream.notify(modern.call(), new TextEncoder().encode(JSON.stringify(message)));
  assertEquals((await notify({ jsonrpc: "2.0", method: "notifications/x" })).status, 202);
  const params = { requestId: 1 };
  const cancelled = await notify({ jsonrpc: "2.0", method: "notifications/cancelled", params });
  assertEquals([cancelled.status, modern.channel.messages.length], [202, 1]);
  await assertRejects(() => notify([{ jsonrpc: "2.0", method: "x" }]), ProxyError, "Batches");
  // A request of the server exists in this era as little as one that nobody has asked for is answered.
  modern.channel.say({ jsonrpc: "2.0", id: 1, method: "ping" });
  modern.channel.say({ jsonrpc: "2.0", id: 99, result: {} });
  assertEquals(modern.fake.upstream.stats().dropped, { ping: 1, "(response)": 1 });
  const listening = await modern.listen(1);
  const meta = { [SUBSCRIPTION]: modern.channel.messages.at(-1)!.id };
  modern.channel.say({ jsonrpc: "2.0", id: 2, method: "roots/list", params: { _meta: meta } });
  assertEquals(modern.fake.upstream.stats().dropped["roots/list"], 1);
  listening.abort.abort();
  await modern.end();
});

Deno.test("an error without an id is about the only request there is, else about none", async () => {
  const modern = new Modern();
  const [one, two] = [await modern.ask("a"), await modern.ask(2)];
  const nameless = { jsonrpc: "2.0", error: { code: -32700, message: "m" } };
  modern.channel.say(nameless);
  assertEquals(modern.fake.upstream.stats().dropped, { "(response)": 1 });
  modern.channel.say({ jsonrpc: "2.0", id: modern.channel.messages[1]!.id, error: nameless.error });
  assertEquals((await jsonOf(two)).id, 2);
  // Another request still waits on the process.
  assert(!modern.channel.closed);
  modern.channel.say(nameless);
  assertEquals(await jsonOf(one), { status: 200, id: "a", ...nameless });
  await modern.end();
});

Deno.test("a server that is still starting when the proxy stops is ended", async () => {
  const opening = Promise.withResolvers<testing.FakeChannel>();
  const modern = new Modern({ open: () => opening.promise });
  const asking = await modern.ask(1);
  const closing = modern.fake.upstream.close();
  const channel = new testing.FakeChannel({ message: () => {}, over: () => {} });
  opening.resolve(channel);
  await closing;
  assert(channel.closed);
  await assertRejects(() => asking.answer, ProxyError);
  const late = await modern.ask(2);
  await assertRejects(() => late.answer, ProxyError, "stopping");
});

Deno.test("a server that ends before anything was sent to it is started once more", async () => {
  const channels: testing.FakeChannel[] = [];
  const modern = new Modern({
    open: (events) => {
      const channel = new testing.FakeChannel(events);
      if (channels.push(channel) === 1) channel.breakOff();
      return Promise.resolve(channel);
    },
  });
  const asking = await modern.ask(1);
  channels[1]!.answer("tools/call");
  assertEquals((await jsonOf(asking)).id, 1);
  await modern.end();
});

Deno.test("where it is not switched on, a call of 2026-07-28 is refused as before", async () => {
  const modern = new Modern({ modern: false });
  const { status } = await jsonOf(await modern.ask(1));
  assertEquals([status, modern.fake.channels.length], [400, 0]);
  await modern.end();
});
