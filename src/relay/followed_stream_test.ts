import { assertEquals, assertInstanceOf } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { type EventLog, MemoryEventLog } from "../event_log/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as streams from "../testing/streams.ts";
import { Attachment } from "./attachment.ts";
import { FollowedStream, type FollowedStreamOptions, STILL_THERE_MS } from "./followed_stream.ts";
import { framed } from "./framing.ts";
import type { PeerWord } from "./stream_directory.ts";
import { StreamTally } from "./traffic.ts";

const NAME = "n".repeat(22);

type GoOn = FollowedStreamOptions["goOn"];

interface SetUp {
  readonly seq?: number;
  readonly upTo?: number;
  readonly goOn?: GoOn;
  readonly log?: (log: EventLog) => EventLog;
  readonly keepAliveMs?: number;
}

function setUp(
  {
    seq = 0,
    upTo = 0,
    goOn = () => Promise.resolve("running"),
    log = (one) => one,
    keepAliveMs = 0,
  }: SetUp = {},
) {
  const clock = new ManualClock();
  const memory = new MemoryEventLog(clock, relay.ROOMY_LOG);
  const said: PeerWord[] = [];
  let over = 0;
  const tally = new StreamTally({ bytesOut: 0, events: 0, streams: 0 }, clock);
  const append = (...numbers: number[]) => {
    for (const number of numbers) {
      memory.append(NAME, framed(NAME, number - 1, [event(number)]).logged);
    }
  };
  const begin = () =>
    new FollowedStream(
      {
        name: NAME,
        log: log(memory),
        limits: {
          clock,
          maxEventBytes: 1_000,
          keepAliveMs,
          resumeWindowMs: 1_000,
          maxAheadBytes: 1_000,
          maxAheadEvents: 100,
        },
        traffic: tally.begin("followed"),
        answered: () => Promise.resolve([["7", 2]]),
        say: (word) => said.push(word),
        goOn,
        onOver: () => over++,
      },
      seq,
      upTo,
    );
  return { clock, memory, said, append, begin, tally, over: () => over };
}

function event(number: number) {
  return { data: new TextEncoder().encode(streams.progress(number)) };
}

/** The numbers of the events that a client has read. */
function seqs(reader: relay.SourceReader): number[] {
  return reader.events.flatMap(({ id }) => id === undefined ? [] : [Number(id.split(".")[1])]);
}

/** Where the instance of a holder has gone: nothing goes on, unless something is given. */
function gone(found?: Attachment): GoOn {
  return () => Promise.resolve(found);
}

Deno.test("it gives what the holder vouches for, and nothing behind it", async () => {
  const { append, begin, over, clock, said } = setUp({ seq: 1, upTo: 3 });
  append(1, 2, 3, 4);
  const followed = begin();
  const reader = relay.sourceReader(followed.attachment);
  await reader.readAll();
  assertEquals(seqs(reader), [2, 3]);
  assertEquals(said.at(-1), { say: "taken", seq: 3 });
  followed.hear({ say: "more", upTo: 4 });
  followed.hear({ say: "more", upTo: 2 });
  await reader.readAll();
  assertEquals(seqs(reader), [2, 3, 4]);
  followed.end();
  await reader.readAll();
  assertEquals([reader.ending, over(), clock.timers], [null, 1, 0]);
});

Deno.test("R58 behind a gap stands an error for each request whose answer is in it", async () => {
  for (const seq of [1, 2]) {
    const { append, begin } = setUp({ seq, upTo: 3 });
    append(1);
    const followed = begin();
    const reader = relay.sourceReader(followed.attachment);
    await reader.readAll();
    assertEquals(reader.events[0]!.comments[0]!.includes("gap"), true);
    const errors = reader.events.flatMap(({ data }) =>
      data === undefined ? [] : [JSON.parse(data)]
    );
    assertEquals(errors.map(({ id, error }) => [id, error.code]), seq === 1 ? [[7, -31502]] : []);
    followed.end();
  }
});

Deno.test("what the log does not have is told as a gap, and passed over", async () => {
  const { append, begin } = setUp({ upTo: 2 });
  append(1);
  const followed = begin();
  const pieces = await followed.attachment.next();
  await relay.settled();
  const text = new TextDecoder().decode(pieces![0]);
  assertEquals(text.includes(`${NAME}.1`), true);
  const rest = new TextDecoder().decode((await followed.attachment.next())![0]);
  assertEquals(rest.startsWith(":"), true, rest);
  append(3);
  followed.hear({ say: "more", upTo: 3 });
  const reader = relay.sourceReader(followed.attachment);
  await reader.readAll();
  assertEquals(seqs(reader), [3]);
  followed.end();
});

Deno.test("it closes as the holder says, behind everything, and once", async () => {
  for (const broken of [null, "It broke."]) {
    const { append, begin, said, clock, tally } = setUp();
    append(1, 2);
    const followed = begin();
    followed.hear({ say: "close", upTo: 2, broken });
    followed.hear({ say: "close", upTo: 0, broken: "Something else." });
    const reader = relay.sourceReader(followed.attachment);
    await reader.readAll();
    assertEquals(seqs(reader), [1, 2]);
    if (broken === null) assertEquals(reader.ending, null);
    else assertEquals((reader.ending as ProxyError).message, broken);
    assertEquals(said.at(-1), { say: "left", seq: 2 });
    assertEquals([clock.timers, [...tally].length], [0, 0]);
  }
});

Deno.test("a client that leaves is told to the holder, with what it took", async () => {
  const { append, begin, said, over, clock } = setUp({ upTo: 2 });
  append(1, 2);
  const followed = begin();
  const reader = relay.sourceReader(followed.attachment);
  await reader.readAll();
  followed.attachment.discard();
  assertEquals([said.at(-1), over(), clock.timers], [{ say: "left", seq: 2 }, 1, 0]);
});

Deno.test("R49 a client that does not read is given 64 KiB and one read of the log", async () => {
  const { memory, begin, append } = setUp({ upTo: 200 });
  append(1);
  for (let seq = 2; seq <= 200; seq++) {
    memory.append(NAME, [{ seq, bytes: new Uint8Array(1_024) }]);
  }
  const followed = begin();
  await relay.settled();
  let bytes = 0;
  for (const piece of (await followed.attachment.next())!) bytes += piece.length;
  assertEquals(bytes <= 2 * 65_536, true, `${bytes} bytes wait`);
  followed.end();
});

Deno.test("a log that fails breaks the client's stream off", async () => {
  const failing = (log: EventLog): EventLog => ({
    append: log.append,
    appendRun: log.appendRun,
    after: () => Promise.reject(new ProxyError("store_unavailable", "Redis is not there.")),
    forget: log.forget,
    close: log.close,
    size: log.size,
  });
  const { begin, over, clock } = setUp({ upTo: 1, log: failing });
  const reader = relay.sourceReader(begin().attachment);
  await reader.readAll();
  assertInstanceOf(reader.ending, ProxyError);
  assertEquals([over(), clock.timers], [1, 0]);
});

Deno.test("every 5 s it says that its client is there, and keeps the connection alive", async () => {
  const { begin, said, clock } = setUp({ keepAliveMs: 4_000 });
  const followed = begin();
  assertEquals(STILL_THERE_MS, 5_000);
  for (let rounds = 0; rounds < 3; rounds++) {
    clock.advance(5_000);
    await relay.settled();
  }
  assertEquals(said, Array(3).fill({ say: "taken", seq: 0 }));
  const pieces = (await followed.attachment.next())!;
  assertEquals(new TextDecoder().decode(pieces[0]), ": keep-alive\n\n");
  followed.end();
  assertEquals(clock.timers, 0);
});

Deno.test("a holder that has gone with nobody in its place: the stream breaks off", async () => {
  const { begin, clock, over } = setUp({ goOn: gone() });
  const reader = relay.sourceReader(begin().attachment);
  clock.advance(5_000);
  await reader.readAll();
  assertInstanceOf(reader.ending, ProxyError);
  assertEquals([over(), clock.timers], [1, 0]);
});

Deno.test("it goes on with what is in the holder's place, and leaves that when its client leaves", async () => {
  const left: string[] = [];
  const heir = new Attachment({ left: () => left.push("left"), drained: () => {} });
  const { begin, clock, append, said } = setUp({ upTo: 1, goOn: gone(heir) });
  append(1);
  const followed = begin();
  const reader = relay.sourceReader(followed.attachment);
  await reader.readAll();
  clock.advance(5_000);
  await relay.settled();
  const before = said.length;
  heir.push(framed(NAME, 1, [event(2)]).bytes, 2, 1);
  await reader.readAll();
  assertEquals(seqs(reader), [1, 2]);
  assertEquals(said.length, before, "nobody is there to be told");
  followed.attachment.discard();
  assertEquals([left, clock.timers], [["left"], 0]);
});

Deno.test("its client leaves while it is asked who goes on: what is found is left", async () => {
  const left: string[] = [];
  const heir = new Attachment({ left: () => left.push("left"), drained: () => {} });
  const { promise, resolve } = Promise.withResolvers<Attachment>();
  const { begin, clock } = setUp({ goOn: () => promise });
  const followed = begin();
  clock.advance(5_000);
  followed.attachment.discard();
  resolve(heir);
  await relay.settled();
  assertEquals([left, clock.timers], [["left"], 0]);
});
