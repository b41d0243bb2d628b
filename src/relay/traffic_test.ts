import { assertEquals } from "@std/assert";
import { MemoryEventLog } from "../event_log/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as streams from "../testing/streams.ts";
import { Attachment } from "./attachment.ts";
import { FollowedStream, STILL_THERE_MS } from "./followed_stream.ts";
import { framed } from "./framing.ts";
import { StreamTally } from "./traffic.ts";

function setUp() {
  const clock = new ManualClock();
  const sum = { bytesOut: 0, events: 0, streams: 0 };
  return { clock, sum, tally: new StreamTally(sum, clock) };
}

Deno.test("a stream is told until it is closed, and what it has left to take is counted yet", () => {
  const { clock, sum, tally } = setUp();
  const first = tally.begin("subscription");
  clock.advance(5_000);
  const second = tally.begin("answer", false);
  assertEquals(second.sinceMs - first.sinceMs, 5_000);
  first.took(10, 2);
  second.took(5, 0);
  assertEquals(sum, { bytesOut: 15, events: 2, streams: 2 });
  first.close();
  first.close();
  first.took(1, 1);
  assertEquals([...tally], [second]);
  assertEquals(sum, { bytesOut: 16, events: 3, streams: 1 });
});

Deno.test("a stream that was stopped counts no more", () => {
  const { sum, tally } = setUp();
  const stream = tally.begin("followed");
  stream.took(10, 2);
  stream.stop();
  stream.took(10, 2);
  stream.close();
  assertEquals([stream.bytes, stream.events], [10, 2]);
  assertEquals(sum, { bytesOut: 10, events: 2, streams: 0 });
});

const { progress } = streams;

/** A stream that another instance holds: three events are in the log, and the holder has told of them. */
function following() {
  const { clock, sum, tally } = setUp();
  const log = new MemoryEventLog(clock, relay.ROOMY_LOG);
  const events = [1, 2, 3].map((step) => ({ event: "message", data: progress(step) }));
  const { logged, bytes } = framed("s", 0, events);
  log.append("s", logged);
  const heirs: Attachment[] = [];
  const limits = {
    clock,
    maxEventBytes: 1_000_000,
    keepAliveMs: 0,
    resumeWindowMs: 1_000,
    maxAheadBytes: 1_000_000,
    maxAheadEvents: 1_000,
  };
  const traffic = tally.begin("followed");
  const stream = new FollowedStream(
    {
      name: "s",
      log,
      limits,
      traffic,
      answered: () => Promise.resolve(undefined),
      say: () => {},
      goOn: () => Promise.resolve(heirs.shift() ?? "running" as const),
      onOver: () => {},
    },
    0,
    3,
  );
  const reader = relay.sourceReader(stream.attachment);
  return { clock, sum, tally, heirs, traffic, stream, reader, bytes };
}

Deno.test("a stream that is held elsewhere counts what its client takes here", async () => {
  const { sum, tally, stream, reader, bytes } = following();
  await relay.settled();
  assertEquals(sum, { bytesOut: 0, events: 0, streams: 1 });
  await reader.readAll();
  assertEquals(sum, { bytesOut: bytes.length, events: 3, streams: 1 });
  stream.end();
  assertEquals([sum.streams, [...tally]], [0, []]);
});

Deno.test("what the heir of a stream counts is not counted twice", async () => {
  const { clock, sum, tally, heirs, traffic, stream, reader, bytes } = following();
  await reader.readAll();
  const own = tally.begin("answer");
  const heir = new Attachment({ left: () => {}, drained: () => {} }, own);
  heirs.push(heir);
  clock.advance(STILL_THERE_MS);
  await relay.settled();
  const more = new TextEncoder().encode(streams.event("s.4", progress(4)));
  heir.push(more, 4, 1);
  await reader.readAll();
  assertEquals(reader.events.length, 4);
  assertEquals([traffic.events, own.events, [...tally]], [3, 1, [own]]);
  assertEquals(sum, { bytesOut: bytes.length + more.length, events: 4, streams: 1 });
  stream.end();
});
