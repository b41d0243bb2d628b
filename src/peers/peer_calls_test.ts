import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import { NetMember, PeerNet } from "../testing/peer_net.ts";
import { answerWith, filledBody, settled, sourceReader } from "../testing/relay.ts";
import { eventOf, textOf } from "../testing/share.ts";
import type { UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import type { PeerCallBounds } from "./bounds.ts";
import type { LocalCalls, Verb } from "./words.ts";

interface Carried {
  readonly verb: Verb;
  readonly call: UpstreamCall;
  readonly text: string;
}

type Act = (carried: Carried) => UpstreamAnswer | Promise<UpstreamAnswer>;

/** What is called at an instance, and what it was called with. */
function serving(member: NetMember, act: Act): Carried[] {
  const carried: Carried[] = [];
  const take = (verb: Verb) => async (call: UpstreamCall, body?: Uint8Array) => {
    const one = { verb, call, text: new TextDecoder().decode(body) };
    carried.push(one);
    return await act(one);
  };
  const local: LocalCalls = {
    exchange: take("exchange"),
    notify: take("notify"),
    listen: take("listen"),
    terminate: take("terminate"),
  };
  member.service.serve(local);
  return carried;
}

/** Two instances, at one of which a stream is had that the test fills. */
function streaming(bounds: Partial<PeerCallBounds> = {}) {
  const net = new PeerNet();
  const [a, b] = [net.join("a", bounds), net.join("b", bounds)];
  const filled = filledBody(net.clock);
  const carried = serving(a, () => answerWith(filled.body));
  const call = async (more: Partial<UpstreamCall> = {}, body = "?") => {
    const calling = b.service.call("a", "exchange", b.call(more), bytes(body));
    calling.catch(() => {});
    await settled();
    return await calling;
  };
  return { net, a, b, filled, carried, call };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function pass(net: PeerNet, ms: number, stepMs = 1_000): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    net.clock.advance(stepMs);
    await settled();
  }
}

async function kindOf(failing: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => failing, ProxyError)).kind;
}

Deno.test("a call goes with all that it has to another instance, and its answer comes back", async () => {
  const net = new PeerNet();
  const [a, b] = [net.join("a"), net.join("b")];
  const carried = serving(a, () => {
    const { body, send } = filledBody(net.clock);
    send('{"ü":1}');
    body.finish();
    const headers = new Fields(["content-type", "application/json"]);
    return { ...answerWith(body, 202, "json"), headers, sessionId: "made" };
  });
  const given = { sessionId: "up", principal: "q", query: "?x=1", lastEventId: "e" };
  for (const verb of ["exchange", "notify", "listen", "terminate"] as const) {
    const answer = await b.service.call("a", verb, b.call({ ...given, era: "modern" }), bytes("ö"));
    assertEquals([answer!.status, answer!.kind, answer!.sessionId], [202, "json", "made"]);
    assertEquals(answer!.headers.list, ["content-type", "application/json"]);
    assertEquals(await textOf(answer!.body), '{"ü":1}');
  }
  await b.service.call("a", "listen", b.call({ lastEventId: null }));
  await b.service.call("a", "listen", b.call());
  assertEquals(carried.map(({ verb }) => verb), [
    "exchange",
    "notify",
    "listen",
    "terminate",
    "listen",
    "listen",
  ]);
  const { call, text } = carried[0]!;
  const { sessionId, principal, query, lastEventId } = call;
  assertEquals({ sessionId, principal, query, lastEventId }, given);
  assertEquals([call.era, text, Fields.from(call.headers).list], ["modern", "ö", ["x-a", "1"]]);
  assertEquals(carried.slice(4).map(({ call }) => call.lastEventId), [null, undefined]);
  await net.close();
});

Deno.test("an answer is streamed from its first event on", async () => {
  const { net, filled, call } = streaming();
  const reader = sourceReader((await call())!.body);
  for (const one of ["1", "2"]) {
    filled.send(eventOf(one));
    await reader.readAll();
    assertEquals(reader.events.at(-1)!.data, one);
  }
  filled.body.finish();
  await reader.readAll();
  assertEquals(reader.ending, null);
  await net.close();
});

Deno.test("a request that is longer than a window arrives whole, and is carried out once", async () => {
  const { net, carried, call } = streaming({ windowBytes: 64, chunkBytes: 16 });
  const body = "0123456789".repeat(100);
  await call({}, body);
  assertEquals(carried.map(({ text }) => text), [body]);
  assertEquals(net.said("open"), 1);
  await net.close();
});

Deno.test("an instance that has gone, or has nothing of the kind, carries nothing out", async () => {
  const net = new PeerNet();
  const [a, b] = [net.join("a"), net.join("b")];
  assertEquals(await b.service.call("nobody", "exchange", b.call(), bytes("?")), undefined);
  assertEquals(await b.service.call("a", "exchange", b.call(), bytes("?")), undefined);
  const carried = serving(a, () => answerWith(filledBody(net.clock).body));
  a.runs = false;
  assertEquals(await b.service.call("a", "exchange", b.call(), bytes("?")), undefined);
  assertEquals(carried, []);
  await net.close();
});

Deno.test("an instance that runs and does not hear is tried again, for a bounded time", async () => {
  const { net, a, b, carried } = streaming();
  a.hears = false;
  const late = b.service.call("a", "exchange", b.call(), bytes("?"));
  await pass(net, 3_000, 250);
  a.hears = true;
  await pass(net, 250, 250);
  assertEquals((await late)!.status, 200);
  assertEquals(carried.length, 1);
  a.hears = false;
  const never = kindOf(b.service.call("a", "exchange", b.call(), bytes("?")));
  await pass(net, 8_250, 250);
  assertEquals(await never, "upstream_unreachable");
  // One that has gone meanwhile is not waited for.
  const dying = b.service.call("a", "exchange", b.call(), bytes("?"));
  await pass(net, 1_000, 250);
  a.runs = false;
  await pass(net, 250, 250);
  assertEquals(await dying, undefined);
  assertEquals(carried.length, 1);
  await net.close();
});

Deno.test("a call of which nobody knows whether it was heard is an error, and not made again", async () => {
  const { net, b } = streaming();
  net.fails = ({ say }) => say === "open";
  assertEquals(
    await kindOf(b.service.call("a", "exchange", b.call(), bytes("?"))),
    "upstream_closed",
  );
  assertEquals(net.said("open"), 1);
  await net.close();
});

Deno.test("a client that does not read holds the other instance back, and loses nothing", async () => {
  const { net, filled, call } = streaming({ windowBytes: 4_096, chunkBytes: 1_024 });
  const { body } = (await call())!;
  const text = "0123456789abcdef".repeat(1_024);
  for (let count = 0; count < 40; count++) {
    filled.send(text);
    await settled();
  }
  assert(filled.paused);
  const under = net.sent.reduce((sum, { bytes }) => sum + (bytes as string ?? "").length, 0);
  assert(under < 2 * (65_536 + 4_096), `${under}`);
  filled.body.finish();
  assertEquals((await textOf(body)).length, 40 * text.length);
  await net.close();
});

Deno.test("a client that leaves cancels at the other instance: ahead of the answer, and in the middle", async () => {
  const net = new PeerNet();
  const [a, b] = [net.join("a"), net.join("b")];
  const never = Promise.withResolvers<UpstreamAnswer>();
  const carried = serving(a, () => never.promise);
  const leaving = new AbortController();
  const calling = kindOf(b.service.call("a", "exchange", b.call({ signal: leaving.signal })));
  await settled();
  assertEquals(carried[0]!.call.signal.aborted, false);
  leaving.abort();
  assertEquals(await calling, "client_closed");
  await settled();
  assert(carried[0]!.call.signal.aborted);
  // What is answered after all is nobody's.
  const late = filledBody(net.clock);
  never.resolve(answerWith(late.body));
  await settled();
  assert(late.aborted);
  const left = b.service.call("a", "exchange", b.call({ signal: leaving.signal }));
  assertEquals(await kindOf(left), "client_closed");
  assertEquals(carried.length, 1);
  await net.close();
  const other = streaming();
  (await other.call())!.body.discard();
  await settled();
  assert(other.filled.aborted && other.carried[0]!.call.signal.aborted);
  await other.net.close();
});

Deno.test("an instance that dies in the middle is an error for its caller in bounded time", async () => {
  const { net, a, filled, call } = streaming();
  const reader = sourceReader((await call())!.body);
  filled.send(eventOf("1"));
  await reader.readAll();
  a.runs = false;
  await pass(net, 5_000);
  assertEquals((reader.ending as ProxyError).kind, "upstream_closed");
  await net.close();
});

Deno.test("one whose messages are lost is an error too, for both ends", async () => {
  const { net, filled, carried, call } = streaming();
  const reader = sourceReader((await call())!.body);
  net.loses = () => true;
  await reader.read();
  await pass(net, 14_000);
  assertEquals(reader.ending, undefined);
  await pass(net, 6_000);
  assertEquals((reader.ending as ProxyError).kind, "upstream_closed");
  assert(filled.aborted && carried[0]!.call.signal.aborted);
  await net.close();
});

Deno.test("a caller that dies is noticed, and what it wanted is cancelled", async () => {
  const { net, b, filled, carried, call } = streaming();
  await call();
  b.runs = false;
  await pass(net, 5_000);
  assert(filled.aborted && carried[0]!.call.signal.aborted);
  await net.close();
});

Deno.test("a message that is missing ends the call: nothing is put together from what is left", async () => {
  const { net, filled, call } = streaming();
  const reader = sourceReader((await call())!.body);
  net.loses = ({ say }) => say === "data";
  filled.send(eventOf("1"));
  await settled();
  net.loses = () => false;
  filled.send(eventOf("2"));
  await reader.readAll();
  assertEquals(reader.events, []);
  assertEquals((reader.ending as ProxyError).kind, "upstream_closed");
  assert(filled.aborted);
  await net.close();
});

Deno.test("a stream that says nothing for an hour goes on", async () => {
  const { net, filled, call } = streaming();
  const reader = sourceReader((await call())!.body);
  await reader.read();
  await pass(net, 3_600_000, 5_000);
  filled.send(eventOf("1"));
  await reader.readAll();
  assertEquals(reader.events.map(({ data }) => data), ["1"]);
  await net.close();
});

Deno.test("an error is told as it is, and what is no ProxyError without its words", async () => {
  const net = new PeerNet();
  const [a, b] = [net.join("a"), net.join("b")];
  let thrown: unknown = new ProxyError("missing_capability", "No.", {
    headers: { "retry-after": "3" },
    data: { requiredCapabilities: {} },
  });
  serving(a, () => {
    throw thrown;
  });
  const call = () => b.service.call("a", "exchange", b.call());
  const { kind, message, headers, data } = await assertRejects(call, ProxyError);
  assertEquals({ kind, message, headers, data }, {
    kind: "missing_capability",
    message: "No.",
    headers: { "retry-after": "3" },
    data: { requiredCapabilities: {} },
  });
  thrown = new Error("secret");
  const other = await assertRejects(call, ProxyError);
  assertEquals(other.kind, "internal");
  assert(!other.message.includes("secret"));
  thrown = new ProxyError("internal", "x".repeat(500_000), { data: "y".repeat(500_000) });
  const long = await assertRejects(call, ProxyError);
  assertEquals([long.kind, long.message.length, long.data], ["internal", 4_096, undefined]);
  await net.close();
});

Deno.test("calls are bounded in number and size, at both ends", async () => {
  const net = new PeerNet();
  const roomy = { maxCalls: 9, maxBodyBytes: 1_000 };
  const a = net.join("a", { maxCalls: 2, maxBodyBytes: 100, maxWaitingBytes: 150 });
  const b = net.join("b", roomy);
  const c = net.join("c", { maxCalls: 1, maxBodyBytes: 10 });
  const carried = serving(a, () => answerWith(filledBody(net.clock).body));
  const call = (from: NetMember, size = 5) =>
    from.service.call("a", "exchange", from.call(), new Uint8Array(size));
  assertEquals(await kindOf(call(c, 11)), "payload_too_large");
  const first = await call(c);
  assertEquals(await kindOf(call(c)), "upstream_saturated");
  assertEquals(await kindOf(call(b, 101)), "payload_too_large");
  const second = await call(b, 100);
  assertEquals(await kindOf(call(b)), "upstream_saturated");
  second!.body.discard();
  await settled();
  const third = await call(b, 80);
  first!.body.discard();
  await settled();
  assertEquals(await kindOf(call(b, 80)), "upstream_saturated");
  third!.body.discard();
  assertEquals(carried.length, 3);
  await net.close();
});

Deno.test("an instance that stops tells both its callers and those whom it calls", async () => {
  const { net, a, b, filled, carried, call } = streaming();
  const reader = sourceReader((await call())!.body);
  await reader.read();
  const back = filledBody(net.clock);
  serving(b, () => answerWith(back.body));
  const own = sourceReader((await a.service.call("b", "exchange", a.call()))!.body);
  await own.read();
  await a.calls.close();
  await settled();
  assertEquals((reader.ending as ProxyError).kind, "upstream_closed");
  const { kind, retrySafe } = own.ending as ProxyError;
  assertEquals([kind, retrySafe], ["stopping", false]);
  assert(filled.aborted && carried[0]!.call.signal.aborted && back.aborted);
  assertEquals(await kindOf(a.service.call("b", "exchange", a.call())), "stopping");
  await net.close();
});

Deno.test("what is malformed, of nobody, or of somebody else is passed over", async () => {
  const { net, a, b, filled, call } = streaming();
  const reader = sourceReader((await call())!.body);
  const { call: name } = net.sent.find(({ say }) => say === "open")!;
  const say = (word: object) =>
    b.listener!(JSON.stringify({ call: name, from: "a", number: 1, ...word }));
  for (const text of ["", "{", "null", "[]", '{"say":"beat"}']) b.listener!(text);
  say({ from: "c", say: "end", error: null });
  say({ call: "other", say: "end", error: null });
  say({ say: "nothing" });
  say({ say: "data" });
  say({ say: "data", bytes: "*" });
  filled.send(eventOf("1"));
  await reader.readAll();
  assertEquals(reader.events.map(({ data }) => data), ["1"]);
  a.listener!("{}");
  await net.close();
});

for (
  const [what, word] of [
    ["more than the window", { say: "data", bytes: bytes(eventOf("x".repeat(65_536))).toBase64() }],
    ["what it has never been sent as taken", { say: "taken", count: 10_000 }],
    ["a second head", { say: "head", status: 200, fields: [], sessionId: null, kind: "sse" }],
    ["what only callers say", { say: "cancel" }],
  ] as const
) {
  Deno.test(`an instance that says ${what} is not listened to any more`, async () => {
    const { net, b, filled, call } = streaming();
    const reader = sourceReader((await call())!.body);
    await reader.read();
    const { call: name } = net.sent.find(({ say }) => say === "open")!;
    b.listener!(JSON.stringify({ call: name, from: "a", number: 1, ...word }));
    await reader.readAll();
    assertEquals((reader.ending as ProxyError).kind, "upstream_closed");
    assertEquals(reader.events, []);
    await settled();
    assert(filled.aborted);
    await net.close();
  });
}

Deno.test("an answer that ends before it has begun is an error", async () => {
  const net = new PeerNet();
  const [a, b] = [net.join("a"), net.join("b")];
  serving(a, () => Promise.withResolvers<UpstreamAnswer>().promise);
  const calling = kindOf(b.service.call("a", "exchange", b.call()));
  await settled();
  const { call } = net.sent[0]!;
  b.listener!(JSON.stringify({ call, from: "a", number: 0, say: "end", error: null }));
  assertEquals(await calling, "upstream_closed");
  await net.close();
});

Deno.test("a request that is longer than it was said to be is not carried out", async () => {
  const net = new PeerNet();
  const [a, b] = [net.join("a"), net.join("b")];
  const carried = serving(a, () => answerWith(filledBody(net.clock).body));
  await b.service.call("a", "exchange", b.call(), bytes("1234"));
  const { to: _, ...open } = net.sent[0]!;
  a.listener!(JSON.stringify({ ...open, call: "other", size: 3 }));
  await settled();
  assertEquals(carried.length, 1);
  await net.close();
});

Deno.test("who stops waits until the others have been told", async () => {
  const { net, a, b, call } = streaming();
  await call();
  serving(b, () => answerWith(filledBody(net.clock).body));
  await a.service.call("b", "exchange", a.call());
  const { promise, resolve } = Promise.withResolvers<void>();
  net.delay = promise;
  let isClosed = false;
  const closing = a.calls.close().then(() => isClosed = true);
  await settled();
  assertEquals(isClosed, false);
  resolve();
  await closing;
  assertEquals([net.said("end"), net.said("cancel")], [1, 1]);
  await net.close();
});
