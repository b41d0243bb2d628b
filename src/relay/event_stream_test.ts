import { assert, assertEquals, assertMatch } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { type EventLog, eventsOfRun, MemoryEventLog, newStreamId } from "../event_log/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as streams from "../testing/streams.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import { HIGH_WATER_BYTES } from "./attachment.ts";
import { EventStream } from "./event_stream.ts";
import { Reconnect } from "./reconnect.ts";

const { event, progress, result } = streams;
const KIB = 1_024;

interface SetUp {
  readonly requestIds?: readonly string[];
  readonly clientPolls?: boolean;
  readonly log?: (log: EventLog) => EventLog;
  readonly keepAliveMs?: number;
  readonly maxAheadBytes?: number;
}

function setUp(
  {
    requestIds = ["7"],
    clientPolls = true,
    log = (one) => one,
    keepAliveMs = 0,
    maxAheadBytes = 100_000_000,
  }: SetUp = {},
) {
  const clock = new ManualClock();
  const memory = new MemoryEventLog(clock, relay.ROOMY_LOG);
  const upstreams = [relay.filledBody(clock)];
  const told: string[] = [];
  const stream: EventStream = new EventStream({
    session: "session",
    name: newStreamId(clock),
    requestIds,
    clientPolls,
    log: log(memory),
    limits: {
      clock,
      maxEventBytes: 1_000 * KIB,
      keepAliveMs,
      resumeWindowMs: 1_000,
      maxAheadBytes,
      maxAheadEvents: 100_000,
    },
    reconnect: new Reconnect({
      clock,
      backOff: { attempts: 2, initialDelayMs: 1, maxDelayMs: 1, maxSilentMs: 60_000 },
      listen: (): Promise<UpstreamAnswer> => {
        upstreams.push(relay.filledBody(clock));
        return Promise.resolve(relay.answerWith(upstreams.at(-1)!.body));
      },
      onSessionGone: () => told.push("gone"),
    }),
    onAttended: (_, attended) => told.push(attended ? "attended" : "unattended"),
    onFinished: () => {},
    onOver: () => told.push("over"),
  });
  const attachment = stream.start(upstreams[0]!.body);
  const reader = relay.sourceReader(attachment);
  return { clock, memory, upstreams, upstream: upstreams[0]!, told, stream, attachment, reader };
}

/** An event of about so many bytes. */
function large(number: number, bytes: number): string {
  return event(`u${number}`, `${number} ${"x".repeat(bytes)}`);
}

/** The numbers that the data of events begins with. */
function numbers(reader: relay.SourceReader): number[] {
  return reader.events.filter(({ data }) => data).map(({ data }) => parseInt(data!));
}

/** How many bytes wait for a client. */
async function waiting(attachment: ReturnType<typeof setUp>["attachment"]): Promise<number> {
  const pieces = await attachment.next();
  return (pieces ?? []).reduce((sum, { length }) => sum + length, 0);
}

/** Sends while the connection reads; the result is the number of the last event that was sent. */
async function sendAll(upstream: relay.FilledBody, bytes: number, upTo = 1_000): Promise<number> {
  for (let number = 1; number <= upTo; number++) {
    if (upstream.paused) return number - 1;
    upstream.send(large(number, bytes));
    await relay.settled();
  }
  return upTo;
}

Deno.test("R49 the upstream is paused while the client does not read, and goes on when it does", async () => {
  const { upstream, reader, stream, attachment } = setUp();
  const sent = await sendAll(upstream, 8 * KIB);
  assert(sent * 8 * KIB < 3 * HIGH_WATER_BYTES, `${sent} events were read ahead`);
  assertEquals(upstream.calls, ["pause"]);
  // The client and the connection hold 64 KiB and one piece each.
  const held = await waiting(attachment);
  assert(held < HIGH_WATER_BYTES + 9 * KIB, `${held} bytes waited`);
  await relay.settled();
  assertEquals(upstream.calls, ["pause", "resume"]);
  await reader.readAll();
  assertEquals(numbers(reader).at(-1), sent);
  upstream.send(event(null, result(7)));
  await reader.readAll();
  assertEquals(reader.events.at(-1)!.data, result(7));
  stream.end();
});

Deno.test("R49 R54 the upstream goes on when the client that did not read has left", async () => {
  const { upstream, stream, attachment, reader } = setUp();
  await reader.read();
  const { id } = reader.events[0]!;
  await sendAll(upstream, 8 * KIB);
  assertEquals(upstream.paused, true);
  attachment.discard();
  await relay.settled();
  assertEquals([upstream.paused, upstream.aborted, stream.attended], [false, false, false]);
  await sendAll(upstream, 10, 100);
  const resumed = relay.sourceReader(stream.resume(Number(id!.split(".")[1]))!);
  await resumed.readAll();
  assertEquals(numbers(resumed).slice(-100), Array.from({ length: 100 }, (_, at) => at + 1));
  stream.end();
});

Deno.test("R49 a replay goes in pages of 64 KiB, and the upstream waits for its end", async () => {
  const { upstream, stream, attachment, memory } = setUp();
  attachment.discard();
  const sent = await sendAll(upstream, 10 * KIB, 60);
  assertEquals([sent, memory.size.events], [60, 60]);
  const resumed = stream.resume(0)!;
  await relay.settled();
  const first = await waiting(resumed);
  assert(first < 2 * HIGH_WATER_BYTES, `${first} bytes waited`);
  // It was before the replay that the upstream was asked for more: that much comes, and then no more.
  for (let number = 61; number <= 90; number++) {
    if (upstream.paused) break;
    upstream.send(large(number, 10 * KIB));
    await relay.settled();
  }
  assertEquals(upstream.paused, true);
  assert(memory.size.events < 63, `${memory.size.events} events`);
  const reader = relay.sourceReader(resumed);
  await reader.readAll();
  const got = numbers(reader);
  assertEquals(got, Array.from({ length: got.length }, (_, at) => got[0]! + at));
  assert(got.at(-1)! > 60);
  stream.end();
});

Deno.test("R49 the upstream waits while a replay is still read from the log", async () => {
  const gate = Promise.withResolvers<void>();
  const { upstream, stream, attachment } = setUp({
    log: (log) => ({
      get size() {
        return log.size;
      },
      append: (name, events) => log.append(name, events),
      appendRun: (name, seq, bytes, ends) => log.appendRun(name, seq, bytes, ends),
      async after(name, seq, maxBytes) {
        await gate.promise;
        return await log.after(name, seq, maxBytes);
      },
      forget: (name) => log.forget(name),
      close: () => log.close(),
    }),
  });
  attachment.discard();
  await sendAll(upstream, 1, 3);
  const reader = relay.sourceReader(stream.resume(0)!);
  await reader.read();
  const sent = await sendAll(upstream, 8 * KIB);
  assert(sent < 20, `${sent} events were taken meanwhile`);
  gate.resolve();
  await reader.readAll();
  assertEquals(numbers(reader).length, 3 + sent);
  stream.end();
});

Deno.test("R57 a break behind an event is a new one, however often it has broken before", async () => {
  const { upstreams, stream, reader, clock } = setUp();
  for (let number = 1; number <= 10; number++) {
    upstreams.at(-1)!.send(large(number, 1));
    upstreams.at(-1)!.body.fail(new ProxyError("upstream_closed", "reset"));
    await relay.settled();
    clock.advance(1);
    await relay.settled();
  }
  await reader.readAll();
  assertEquals([numbers(reader).length, reader.ending], [10, undefined]);
  stream.end();
});

Deno.test("R57 a stream ends behind the last answer where it was asked for again, though the server leaves it open", async () => {
  const { upstreams, upstream, stream, reader, clock } = setUp();
  upstream.send(event("u1", progress(1)));
  upstream.body.fail(new ProxyError("upstream_closed", "reset"));
  await relay.settled();
  clock.advance(1);
  await relay.settled();
  upstreams[1]!.send(event("u2", result(7)));
  await reader.readAll();
  assertEquals([reader.events.at(-1)!.data, reader.ending], [result(7), null]);
  assertEquals([stream.finished, upstreams[1]!.aborted], [true, true]);
  stream.end();
});

Deno.test("R57 live events that come during a replay follow it, once each", async () => {
  for (const slow of [false, true]) {
    const { upstream, stream, attachment } = setUp(
      slow ? { log: (one) => relay.slowLog(one) } : {},
    );
    attachment.discard();
    await sendAll(upstream, 30 * KIB, 10);
    const reader = relay.sourceReader(stream.resume(0)!);
    for (let number = 11; number <= 30; number++) {
      upstream.send(large(number, 10));
      upstream.send(large(number + 0.5, 10));
      for (let turn = 0; turn < number; turn++) await Promise.resolve();
      if (number % 3 === 0) await reader.read();
    }
    await reader.readAll();
    const whole = numbers(reader);
    assertEquals(whole.length, 50);
    assertEquals(whole, whole.toSorted((a, b) => a - b));
    stream.end();
  }
});

Deno.test("R57 an event that is on its way when the client comes back reaches it", async () => {
  const { upstream, stream, attachment } = setUp();
  await relay.settled();
  attachment.discard();
  upstream.send(large(1, 1));
  const reader = relay.sourceReader(stream.resume(0)!);
  await reader.readAll();
  assertEquals(numbers(reader), [1]);
  stream.end();
});

/** A log that does not take the event `seq`. */
function without(seq: number, log: EventLog): EventLog {
  return {
    get size() {
      return log.size;
    },
    append(name, events) {
      if (events[0]?.seq === seq) throw new Error("the disk is full");
      return log.append(name, events);
    },
    appendRun(name, first, bytes, ends) {
      return this.append(name, eventsOfRun(first, bytes, ends));
    },
    after: (name, at, maxBytes) => log.after(name, at, maxBytes),
    forget: (name) => log.forget(name),
    close: () => log.close(),
  };
}

for (const lost of [undefined, 1, 2, 4]) {
  const what = lost === undefined ? "all events" : `all but event ${lost}`;
  Deno.test(`R57 a replay from a slow log that takes ${what} has each of them once`, async () => {
    // At every moment of an append: resumed, with more pieces behind it.
    for (let turns = 0; turns < 130; turns++) {
      const log = (one: EventLog) =>
        relay.slowLog(lost === undefined ? one : without(lost, one), turns % 2 === 0 ? 1 : 12);
      const { upstream, stream, attachment } = setUp({ log });
      attachment.discard();
      for (let number = 1; number <= 5; number++) upstream.send(large(number, 1));
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const reader = relay.sourceReader(stream.resume(0)!);
      await reader.readAll();
      upstream.send(large(6, 1));
      await reader.readAll();
      const told = numbers(reader).filter((number) => number !== lost);
      assertEquals(told, [1, 2, 3, 4, 5, 6].filter((number) => number !== lost), `${turns} turns`);
      const gaps = reader.events.filter(({ comments }) => comments[0]?.includes("gap"));
      if (lost === undefined) assertEquals(gaps, []);
      stream.end();
    }
  });
}

Deno.test("R57 an event that comes while the log is read follows what was read, once", async () => {
  for (const lost of [undefined, 2]) {
    for (let turns = 0; turns < 60; turns++) {
      const log = (one: EventLog) => relay.slowLog(lost === undefined ? one : without(lost, one));
      const { upstream, stream, attachment } = setUp({ log });
      attachment.discard();
      for (const number of [1, 2]) upstream.send(large(number, 1));
      await relay.settled();
      const reader = relay.sourceReader(stream.resume(1)!);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      upstream.send(large(3, 1));
      await reader.readAll();
      assertEquals(numbers(reader), lost === undefined ? [2, 3] : [3], `${turns} turns`);
      const gaps = reader.events.flatMap(({ comments }) => comments);
      assertEquals(gaps.length, lost === undefined ? 0 : 1);
      stream.end();
    }
  }
});

Deno.test("R80 events that the log could not take reach the client that reads, and are a gap afterwards", async () => {
  let full = false;
  const failing = (log: EventLog): EventLog => ({
    get size() {
      return log.size;
    },
    append(stream, events) {
      if (full) throw new Error("the disk is full");
      return log.append(stream, events);
    },
    appendRun(stream, seq, bytes, ends) {
      return this.append(stream, eventsOfRun(seq, bytes, ends));
    },
    after: (stream, seq, maxBytes) => log.after(stream, seq, maxBytes),
    forget(stream) {
      if (full) throw new Error("the disk is full");
      return log.forget(stream);
    },
    close: () => log.close(),
  });
  for (const slow of [false, true]) {
    full = false;
    const log = (one: EventLog) => slow ? relay.slowLog(failing(one)) : failing(one);
    const { upstream, stream, reader, attachment, told, upstreams, clock } = setUp({ log });
    upstream.send(large(1, 1));
    await reader.readAll();
    full = true;
    upstream.send(large(2, 1));
    await reader.readAll();
    assertEquals([numbers(reader), upstreams.length], [[1, 2], 1]);
    attachment.discard();
    full = false;
    upstream.send(large(3, 1));
    await relay.settled();
    const resumed = relay.sourceReader(stream.resume(1)!);
    await resumed.readAll();
    assertMatch(resumed.events[0]!.comments[0]!, /gap: of the events 2 to 3/);
    assertEquals(numbers(resumed), [3]);
    full = true;
    stream.end();
    await relay.settled();
    assertEquals([told.at(-1), clock.timers], ["over", 0]);
  }
});

Deno.test("a log that cannot be read cuts the client, who may try again", async () => {
  let unreadable = false;
  const { upstream, stream, attachment, reader, told, clock } = setUp({
    log: (log) => ({
      get size() {
        return log.size;
      },
      append: (name, events) => log.append(name, events),
      appendRun: (name, seq, bytes, ends) => log.appendRun(name, seq, bytes, ends),
      after(name, seq, maxBytes) {
        if (unreadable) throw new Error("disk I/O error");
        return log.after(name, seq, maxBytes);
      },
      forget: (name) => log.forget(name),
      close: () => log.close(),
    }),
  });
  await reader.read();
  attachment.discard();
  upstream.send(large(1, 1));
  await relay.settled();
  unreadable = true;
  const cut = relay.sourceReader(stream.resume(0)!);
  await cut.readAll();
  assert(cut.ending instanceof ProxyError);
  assertEquals([stream.attended, told.at(-1)], [false, "unattended"]);
  unreadable = false;
  const again = relay.sourceReader(stream.resume(0)!);
  await again.readAll();
  assertEquals(numbers(again), [1]);
  stream.end();
  assertEquals(clock.timers, 0);
});

Deno.test("R54 a stream that nobody comes back to is over after its window, and its upstream with it", async () => {
  const { upstream, stream, attachment, memory, clock, told } = setUp();
  upstream.send(large(1, 1));
  await relay.settled();
  attachment.discard();
  clock.advance(999);
  assertEquals(told, ["attended", "unattended"]);
  clock.advance(1);
  await relay.settled();
  assertEquals([told.at(-1), upstream.aborted, stream.resume(0)], ["over", true, undefined]);
  assertEquals([memory.size.streams, clock.timers], [0, 0]);
});

Deno.test("R57 a stream that ends while a connection is being opened leaves none open", async () => {
  const { upstream, upstreams, stream, clock, memory } = setUp({ requestIds: [] });
  upstream.body.fail(new ProxyError("upstream_closed", "reset"));
  await relay.settled();
  clock.advance(1);
  while (upstreams.length === 1) await Promise.resolve();
  stream.end();
  await relay.settled();
  assertEquals([upstreams[1]!.aborted, clock.timers, memory.size.streams], [true, 0, 0]);
});

Deno.test("nothing is logged for a stream that has ended in the middle of a read", async () => {
  const { upstream, stream, memory, attachment } = setUp({ log: (one) => relay.slowLog(one) });
  // The client does not read, so that several pieces come at once when it has left.
  for (let number = 1; number <= 20; number++) upstream.send(large(number, 10 * KIB));
  await relay.settled();
  attachment.discard();
  await Promise.resolve();
  stream.end();
  for (let times = 0; times < 10; times++) await relay.settled();
  assertEquals(memory.size, { streams: 0, events: 0, bytes: 0 });
});

Deno.test("R42 what came ahead of an event over its cap is passed on, then the call has failed", async () => {
  const { upstream, reader, stream, clock } = setUp();
  upstream.send(`${large(1, 1)}data: ${"x".repeat(1_001 * KIB)}`);
  await reader.readAll();
  assertEquals(numbers(reader)[0], 1);
  assertMatch(reader.events.at(-1)!.data!, /"error":.*more than 1024000 bytes/);
  assertEquals([reader.ending, upstream.aborted, stream.attended], [null, true, false]);
  stream.end();
  assertEquals(clock.timers, 0);
});

Deno.test("R29 R58 every request of a batch without an answer is told of the failure", async () => {
  const { upstream, reader, stream } = setUp({ requestIds: ["1", '"a"', "3"], clientPolls: false });
  upstream.send(event(null, result("a")));
  upstream.body.finish();
  await reader.readAll();
  const told = reader.events.slice(1).map(({ data }) => JSON.parse(data!));
  assertEquals(told.map(({ id, error }) => [id, error.code]), [[1, -31502], [3, -31502]]);
  assertEquals(reader.ending, null);
  stream.end();
});

Deno.test("R37 an id that is taken back leaves nothing to resume behind", async () => {
  const { upstream, reader, stream } = setUp();
  upstream.send(event("u1", progress(1)) + event("", progress(2)));
  upstream.body.fail(new ProxyError("upstream_closed", "reset"));
  await reader.readAll();
  assertMatch(reader.events.at(-1)!.data!, /"error"/);
  stream.end();
});

Deno.test("R41 an event that is not complete when its connection breaks is not passed on", async () => {
  const { upstream, upstreams, reader, stream, clock } = setUp();
  upstream.send(`${event("u1", progress(1))}id: u2\ndata: half\n`);
  upstream.body.fail(new ProxyError("upstream_closed", "reset"));
  await relay.settled();
  clock.advance(1);
  await relay.settled();
  upstreams[1]!.send(event("u2", progress(2)));
  await reader.readAll();
  assertEquals(reader.events.map(({ data }) => data), ["", progress(1), progress(2)]);
  stream.end();
});

Deno.test("R52 an attended stream gets comments while it is silent, one that nobody reads sets no timer for it", async () => {
  const { reader, clock, attachment, stream } = setUp({ keepAliveMs: 100 });
  await reader.readAll();
  clock.advance(500);
  await reader.readAll();
  assert(reader.events.some(({ comments }) => comments[0] === " keep-alive"));
  assertEquals(clock.timers, 2);
  attachment.discard();
  // The watch over the silence of the upstream, and the window.
  assertEquals(clock.timers, 2);
  stream.end();
  assertEquals(clock.timers, 0);
});

Deno.test("R54 R80 for a client that is not there so much is read as the log can hold, and no more", async () => {
  const { upstream, stream, reader, attachment } = setUp({ maxAheadBytes: 100 * KIB });
  await reader.read();
  attachment.discard();
  for (let number = 1; number <= 20; number++) {
    upstream.send(large(number, 10 * KIB));
    await relay.settled();
  }
  assert(upstream.paused, "the upstream was not held back");
  const resumed = relay.sourceReader(stream.resume(0)!);
  await resumed.readAll();
  assertEquals(numbers(resumed), Array.from({ length: 20 }, (_, at) => at + 1));
  assert(!upstream.paused);
  stream.end();
});
