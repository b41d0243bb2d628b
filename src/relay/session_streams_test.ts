import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { MemoryEventLog } from "../event_log/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as streams from "../testing/streams.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import type { Attachment } from "./attachment.ts";
import { LiveStreams } from "./live_streams.ts";
import { MAX_GONE_STREAMS, MAX_UNATTENDED_STREAMS, SessionStreams } from "./session_streams.ts";
import { StreamTally } from "./traffic.ts";

const { event, progress, result } = streams;

const LOG = { maxStreamEvents: 100, maxEvents: 2_000, maxStreams: 5_000 };

function setUp(maxInAll?: number) {
  const clock = new ManualClock();
  const log = new MemoryEventLog(clock, { ...relay.ROOMY_LOG, ...LOG });
  const live = new LiveStreams(maxInAll);
  const limits = {
    clock,
    maxEventBytes: 1_000_000,
    keepAliveMs: 0,
    resumeWindowMs: 1_000,
    maxAheadBytes: 1_000_000,
    maxAheadEvents: 1_000,
  };
  const backOff = { attempts: 1, initialDelayMs: 1, maxDelayMs: 1, maxSilentMs: 60_000 };
  const sum = { bytesOut: 0, events: 0, streams: 0 };
  const tally = new StreamTally(sum, clock);
  const newSession = () =>
    new SessionStreams({ log, limits, clock, backOff, live, session: "session", tally });
  const session = newSession();
  let gone = 0;
  let status = 405;
  function open(to = session, requestIds: readonly string[] = ["7"]) {
    const upstream = relay.filledBody(clock);
    const attachment = to.open({
      body: upstream.body,
      requestIds,
      clientPolls: true,
      listen: (): Promise<UpstreamAnswer> =>
        Promise.resolve(relay.answerWith(relay.filledBody(clock).body, status, "json")),
      onSessionGone: () => gone++,
    });
    return { upstream, attachment, reader: relay.sourceReader(attachment) };
  }
  return {
    clock,
    log,
    live,
    sum,
    tally,
    session,
    newSession,
    open,
    gone: () => gone,
    refuseWith: (code: number) => status = code,
  };
}

/** The data of what a client reads now. */
async function read(attachment: Attachment): Promise<(string | undefined)[]> {
  const reader = relay.sourceReader(attachment);
  await reader.readAll();
  return reader.events.map(({ data }) => data);
}

/** A call, answered and read to its end; the result is the id of its priming event. */
async function answered(one: ReturnType<ReturnType<typeof setUp>["open"]>): Promise<string> {
  one.upstream.send(event(null, result(7)));
  one.upstream.body.finish();
  await relay.settled();
  await one.reader.readAll();
  return one.reader.events[0]!.id!;
}

Deno.test("R86 a session holds so many streams that nobody reads, and the oldest gives way", async () => {
  const { session, open, live, log } = setUp();
  const reading = open();
  const ids: string[] = [];
  for (let number = 0; number < MAX_UNATTENDED_STREAMS + 3; number++) {
    ids.push(await answered(open()));
  }
  assertEquals([session.size, live.size], [MAX_UNATTENDED_STREAMS + 1, MAX_UNATTENDED_STREAMS + 1]);
  assertEquals(log.size.streams, session.size);
  for (const id of ids.slice(0, 3)) assertThrows(() => relay.resume(session, id), ProxyError);
  assertEquals(await read(relay.resume(session, ids[3]!)), [result(7)]);
  // Who reads is not touched by it.
  reading.upstream.send(event(null, progress(1)));
  await reading.reader.readAll();
  assertEquals(reading.reader.events.map(({ data }) => data), ["", progress(1)]);
  session.close();
});

Deno.test("R86 streams with nothing more to come give way before those that go on", async () => {
  const { session, open } = setUp();
  const going = open();
  going.attachment.discard();
  for (let number = 0; number < MAX_UNATTENDED_STREAMS; number++) await answered(open());
  going.upstream.send(event(null, result(7)));
  going.upstream.body.finish();
  const name = going.reader.events[0]?.id ?? "";
  assertEquals(name, "");
  assertEquals(session.size, MAX_UNATTENDED_STREAMS);
  session.close();
});

Deno.test("R86 all sessions together hold so many, and the oldest of all gives way", async () => {
  const { session, newSession, open, live } = setUp(4);
  const other = newSession();
  const first = await answered(open());
  for (let number = 0; number < 4; number++) await answered(open(other));
  assertEquals([session.size, other.size, live.size, live.unattended], [0, 4, 4, 4]);
  assertThrows(() => relay.resume(session, first), ProxyError);
  other.close();
});

Deno.test("R54 R86 finished streams of other sessions give way before one that is still to be answered", async () => {
  for (const isAway of [true, false]) {
    const { session, newSession, open, live } = setUp(4);
    const other = newSession();
    const going = open();
    await going.reader.readAll();
    const { id } = going.reader.events[0]!;
    going.attachment.discard();
    for (let number = 0; number < 3; number++) {
      const one = open(other);
      // Its client may leave before the answer, or read it to its end.
      if (isAway) one.attachment.discard();
      one.upstream.send(event(null, result(7)));
      one.upstream.body.finish();
      await relay.settled();
      await one.reader.readAll();
    }
    for (let number = 0; number < 4; number++) await answered(open(other));
    assertEquals([session.size, live.unattended], [1, 4]);
    going.upstream.send(event(null, result(7)));
    going.upstream.body.finish();
    await relay.settled();
    assertEquals([session.size, live.unattended], [1, 4]);
    assertEquals(await read(relay.resume(session, id!)), [result(7)]);
    session.close();
    other.close();
  }
});

Deno.test("R86 20,000 calls of one session leave log and streams within their bounds", async () => {
  const { session, open, live, log, clock, sum, tally } = setUp();
  for (let number = 0; number < 20_000; number++) {
    const { upstream, attachment } = open();
    upstream.send(event(null, progress(number)) + event(null, result(7)));
    upstream.body.finish();
    // Enough turns for the end to have come; every tenth client leaves before it.
    if (number % 10 === 0) attachment.discard();
    while (!attachment.ended) {
      await Promise.resolve();
      if (!attachment.ended) void attachment.next();
    }
    if (number % 1_000 === 0) await relay.settled();
    assert(session.size <= MAX_UNATTENDED_STREAMS + 1, `${session.size} streams`);
  }
  await relay.settled();
  const { streams: logged, events } = log.size;
  assertEquals([session.size, live.size, logged], Array(3).fill(MAX_UNATTENDED_STREAMS));
  assert(events <= 2 * MAX_UNATTENDED_STREAMS, `${events} events`);
  assertEquals(clock.timers, MAX_UNATTENDED_STREAMS);
  clock.advance(1_000);
  assertEquals([session.size, live.size, clock.timers], [0, 0, 0]);
  assertEquals([sum.streams, [...tally].length], [0, 0]);
  assertEquals(log.size, { streams: 0, events: 0, bytes: 0 });
});

Deno.test("close() ends all streams on both sides, and those that are opened later", async () => {
  const { session, open, clock, log, live } = setUp();
  const [read, left] = [open(), open()];
  left.attachment.discard();
  session.close();
  await read.reader.readAll();
  assertEquals([read.reader.ending, read.upstream.aborted, left.upstream.aborted], [
    null,
    true,
    true,
  ]);
  const late = open();
  await late.reader.readAll();
  assertEquals([late.reader.ending, late.upstream.aborted], [null, true]);
  assertEquals([session.size, live.size, live.unattended, clock.timers], [0, 0, 0, 0]);
  assertEquals(log.size.streams, 0);
});

// 2025-06-18 basic/utilities/cancellation, "Behavior Requirements".
Deno.test("cancel() has a request told of no failure, nor of the end of its session; others are", async () => {
  for (const closes of [false, true]) {
    const { session, open } = setUp();
    const [batch, other] = [open(session, ["1", "2"]), open(session, ["3"])];
    session.cancel(1);
    session.cancel(3)();
    if (closes) session.close();
    else for (const { upstream } of [batch, other]) upstream.body.finish();
    const told: unknown[] = [];
    for (const { reader } of [batch, other]) {
      await reader.readAll();
      told.push(reader.events.slice(1).map(({ data }) => JSON.parse(data!).id));
    }
    assertEquals(told, [[2], [3]]);
    session.close();
  }
});

Deno.test("resume() takes a stream over that is being read: one client reads, the other sees its end", async () => {
  const { session, open } = setUp();
  const { upstream, reader } = open();
  upstream.send(event("u", progress(1)));
  await reader.readAll();
  const second = relay.resume(session, reader.events[0]!.id!);
  upstream.send(event("u", progress(2)));
  await reader.readAll();
  assertEquals([reader.ending, reader.events.length], [null, 2]);
  assertEquals(await read(second), [progress(1), progress(2)]);
  session.close();
});

Deno.test("R79 R80 resume() knows the events of its session alone, and none that has not been", async () => {
  const { session, newSession, open } = setUp();
  const { upstream, reader } = open();
  upstream.send(event("u", progress(1)));
  await reader.readAll();
  const id = reader.events[1]!.id!;
  const unknown = [id.replace(/\d+$/, "2"), `${"A".repeat(22)}.0`, "", "u", `${id} `, `${id}.1`];
  for (const text of unknown) {
    const error = assertThrows(() => relay.resume(session, text), ProxyError);
    assertEquals(error.kind, "event_not_found");
  }
  assertThrows(() => relay.resume(newSession(), id), ProxyError);
  assertEquals(reader.ending, undefined);
  session.close();
});

Deno.test("R80 resume() has another stream opened for a subscription that is gone, of so many and no more", async () => {
  const { session, open, clock, newSession } = setUp();
  const ids: string[] = [];
  for (let number = 0; number <= MAX_GONE_STREAMS; number++) {
    const { reader, attachment } = open(session, []);
    await reader.readAll();
    ids.push(reader.events[0]!.id!);
    attachment.discard();
    clock.advance(1_000);
  }
  assertEquals(session.size, 0);
  assertEquals(relay.resume(session, ids[1]!), undefined);
  assertEquals(relay.resume(session, ids.at(-1)!), undefined);
  // A call is not sent again.
  const call = await answered(open());
  clock.advance(1_000);
  const unknown = [ids[0]!, ids[1]!.replace(/0$/, "1"), call];
  for (const text of unknown) assertThrows(() => relay.resume(session, text), ProxyError);
  assertThrows(() => relay.resume(newSession(), ids[1]!), ProxyError);
  session.listenRefused = true;
  assertThrows(() => relay.resume(session, ids[1]!), ProxyError);
});

Deno.test("comeBack() gives the server's own stream behind what was taken, the longest unattended first", async () => {
  const { session, open } = setUp();
  const call = open();
  call.attachment.discard();
  assertEquals(relay.comeBack(session), undefined);
  const [first, second] = [open(session, []), open(session, [])];
  assertEquals(relay.comeBack(session), undefined);
  for (const one of [second, first]) {
    one.upstream.send(event(null, progress(1)));
    await one.reader.readAll();
    one.attachment.discard();
  }
  for (const [step, one] of [[2, second], [3, first]] as const) {
    one.upstream.send(event(null, progress(step)));
    await relay.settled();
    assertEquals(await read(relay.comeBack(session)!), [progress(step)]);
  }
  assertEquals(relay.comeBack(session), undefined);
  session.close();
});

Deno.test("comeBack() gives nothing twice that was taken behind the end of the stream's connection", async () => {
  const { session, open } = setUp();
  const { upstream, reader } = open(undefined, []);
  upstream.send(event("u", progress(1)));
  await relay.settled();
  upstream.body.finish();
  await relay.settled();
  await reader.readAll();
  assertEquals([reader.events.at(-1)!.data, reader.ending], [progress(1), null]);
  assertEquals(await read(relay.comeBack(session)!), []);
  session.close();
});

Deno.test("comeBack() gives again what waited for a client that left without taking it", async () => {
  const { session, open } = setUp();
  const { upstream, attachment } = open(undefined, []);
  upstream.send(event("u", progress(1)));
  await relay.settled();
  attachment.discard();
  const second = relay.comeBack(session)!;
  await relay.settled();
  second.discard();
  assertEquals(await read(relay.comeBack(session)!), [progress(1)]);
  session.close();
});

for (const requestIds of [[], ["7"]]) {
  const what = requestIds.length === 0 ? "subscription" : "call";
  Deno.test(`R58 a 404 to the resumption of a ${what} ends the session, behind what the client is told`, async () => {
    const { open, gone, refuseWith, clock, session } = setUp();
    refuseWith(404);
    const { upstream, reader } = open(undefined, requestIds);
    upstream.send(event("u", progress(1)));
    await reader.readAll();
    upstream.body.fail(new ProxyError("upstream_closed", "broken"));
    for (let times = 0; times < 3; times++) {
      await relay.settled();
      clock.advance(1);
    }
    await reader.readAll();
    if (requestIds.length === 0) assert(reader.ending instanceof ProxyError);
    else assert(reader.events.at(-1)!.data!.includes('"error"'));
    assertEquals(gone(), 1);
    session.close();
  });
}

/** The streams of a session as they are told. */
function told(tally: StreamTally) {
  return [...tally].map(({ kind, attended, events }) => ({ kind, attended, events }));
}

Deno.test("what clients take is counted by stream and in all, what comes again once more", async () => {
  const { session, open, sum, tally } = setUp();
  const [call, speaks] = [open(), open(session, [])];
  call.upstream.send(event(null, progress(1)) + event(null, progress(2)));
  speaks.upstream.send(`${event(null, progress(3))}: a comment\n\n`);
  await relay.settled();
  assertEquals([sum.events, sum.bytesOut, sum.streams], [0, 0, 2], "nobody has taken anything");
  await call.reader.readAll();
  await speaks.reader.readAll();
  assertEquals([sum.events, sum.streams], [3, 2]);
  assertEquals(told(tally), [
    { kind: "answer", attended: true, events: 2 },
    { kind: "subscription", attended: true, events: 1 },
  ]);
  call.attachment.discard();
  call.upstream.send(event(null, progress(4)));
  await relay.settled();
  assertEquals(told(tally)[0], { kind: "answer", attended: false, events: 2 });
  const again = relay.resume(session, call.reader.events[1]!.id!);
  assertEquals(await read(again), [progress(2), progress(4)]);
  assertEquals(told(tally)[0], { kind: "answer", attended: true, events: 4 });
  const [one, other] = [...tally].map(({ bytes }) => bytes);
  assertEquals([sum.events, sum.bytesOut], [5, one! + other!]);
  session.close();
  assertEquals([sum.streams, told(tally)], [0, []]);
});

Deno.test("the bytes that are counted are those that the client has read", async () => {
  const { session, open, sum } = setUp();
  const { upstream, attachment } = open();
  upstream.send(event(null, progress(1)));
  await relay.settled();
  let bytes = 0;
  const take = async () => {
    for (const piece of await attachment.next() ?? []) bytes += piece.length;
  };
  await take();
  const waiting = take();
  upstream.send(event(null, progress(2)));
  await waiting;
  assertEquals([sum.events, sum.bytesOut], [2, bytes]);
  session.close();
  // The error in place of the answer still waited when the stream was over.
  await take();
  assertEquals([sum.events, sum.bytesOut], [2, bytes]);
});
