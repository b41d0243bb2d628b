import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { Clock } from "../clock.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { alteredConnection, redisTest } from "../testing/redis.ts";
import { EventLogModel, inRuns } from "../testing/event_log.ts";
import {
  EVENT_OVERHEAD_BYTES,
  type EventLog,
  type EventLogLimits,
  type LoggedEvent,
  MemoryEventLog,
  RedisEventLog,
  SqliteEventLog,
} from "./mod.ts";

const LIMITS: EventLogLimits = {
  maxEvents: 1_000,
  maxBytes: 1_000_000,
  maxStreamEvents: 100,
  maxStreamBytes: 100_000,
  maxAgeMs: 1_000,
  maxStreams: 10,
};

type Open = (clock: Clock, limits: EventLogLimits) => EventLog;

interface Store {
  readonly name: string;
  readonly appends: number;
  readonly modelRuns: number;
  /** Registers a test, which gets what opens a log without anything in it. */
  register(name: string, run: (open: Open) => Promise<void>): void;
}

const STORES: Store[] = [
  {
    name: "memory",
    appends: 1_000_000,
    modelRuns: 300,
    register: (name, run) =>
      Deno.test(name, () => run((clock, limits) => new MemoryEventLog(clock, limits))),
  },
  {
    name: "sqlite",
    appends: 20_000,
    modelRuns: 40,
    register: (name, run) =>
      Deno.test(name, async () => {
        const directory = await Deno.makeTempDir();
        const path = () => `${directory}/${crypto.randomUUID()}.db`;
        try {
          await run((clock, limits) => new SqliteEventLog(clock, limits, path()));
        } finally {
          await Deno.remove(directory, { recursive: true });
        }
      }),
  },
  {
    name: "redis",
    appends: 5_000,
    modelRuns: 40,
    register: (name, run) =>
      redisTest(name, async (redis) => {
        const connection = await redis.connect();
        const own = () =>
          alteredConnection(connection, { prefix: `${redis.prefix}:${crypto.randomUUID()}` });
        await run((clock, limits) => new RedisEventLog(clock, limits, own()));
      }),
  },
];

for (const store of [...STORES]) {
  STORES.push({
    ...store,
    name: `${store.name}, in runs`,
    appends: Math.min(store.appends, 20_000),
    register: (name, run) =>
      store.register(name, (open) => run((...given) => inRuns(open(...given)))),
  });
}

interface Bench {
  readonly store: Store;
  readonly clock: ManualClock;
  /** A log with `LIMITS` but for those given. */
  open(limits?: Partial<EventLogLimits>): EventLog;
}

/** Registers a test for each of the stores. */
function test(name: string, run: (bench: Bench) => Promise<void>): void {
  for (const store of STORES) {
    store.register(`${store.name}: ${name}`, async (openStore) => {
      const clock = new ManualClock();
      const logs: EventLog[] = [];
      const open = (limits = {}) => {
        logs.push(openStore(clock, { ...LIMITS, ...limits }));
        return logs.at(-1)!;
      };
      try {
        await run({ store, clock, open });
        assertEquals(clock.timers, 0, "the log has set a timer");
      } finally {
        for (const log of logs) await log.close();
      }
    });
  }
}

function textOf(stream: string, seq: number): string {
  return `${stream}:${seq};`;
}

function event(stream: string, seq: number, size?: number): LoggedEvent {
  const text = textOf(stream, seq);
  return { seq, bytes: new TextEncoder().encode(text.padEnd(size ?? 0, "x")) };
}

function events(stream: string, from: number, to: number, size?: number): LoggedEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => event(stream, from + index, size));
}

/** What a log answers, short: the numbers, and whether there is a gap and more. */
async function answer(log: EventLog, stream: string, seq: number, maxBytes = 1_000_000) {
  const replay = await log.after(stream, seq, maxBytes);
  for (const { seq, bytes } of replay.events) {
    const text = new TextDecoder().decode(bytes);
    assertEquals(text.slice(0, textOf(stream, seq).length), textOf(stream, seq));
  }
  return [replay.events.map(({ seq }) => seq), replay.gap, replay.more];
}

const NOTHING = [[], true, false];

test("after() gives the events behind the one that a client has", async ({ open }) => {
  const log = open();
  await log.append("a", events("a", 1, 3));
  await log.append("a", [event("a", 4)]);
  assertEquals(await answer(log, "a", 0), [[1, 2, 3, 4], false, false]);
  assertEquals(await answer(log, "a", 2), [[3, 4], false, false]);
  assertEquals(await answer(log, "a", 3), [[4], false, false]);
  assertEquals(await answer(log, "a", 4), [[], false, false]);
});

test("R80 an unknown stream and a forged number are a gap, never the whole stream", async ({ open }) => {
  const log = open();
  await log.append("a", events("a", 1, 3));
  for (const seq of [4, 1e9, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 53]) {
    assertEquals(await answer(log, "a", seq), NOTHING, String(seq));
  }
  assertEquals(await answer(log, "b", 0), NOTHING);
  for (const name of ["__proto__", "constructor", ""]) {
    assertEquals(await answer(log, name, 0), NOTHING);
  }
});

test("R80 events that have gone are a gap ahead of what is held", async ({ open }) => {
  const log = open({ maxStreamEvents: 3 });
  await log.append("a", events("a", 1, 10));
  assertEquals(await answer(log, "a", 0), [[8, 9, 10], true, false]);
  assertEquals(await answer(log, "a", 6), [[8, 9, 10], true, false]);
  assertEquals(await answer(log, "a", 7), [[8, 9, 10], false, false]);
  assertEquals(await answer(log, "a", 10), [[], false, false]);
});

test("R79 the number of another stream gives nothing of that stream", async ({ open }) => {
  const log = open();
  for (let seq = 1; seq <= 5; seq++) {
    await log.append("a", [event("a", seq)]);
    await log.append("b", [event("b", seq)]);
  }
  await log.append("b", events("b", 6, 9));
  assertEquals(await answer(log, "a", 8), NOTHING);
  assertEquals(await answer(log, "a", 2), [[3, 4, 5], false, false]);
  await log.forget("a");
  assertEquals(await answer(log, "a", 2), NOTHING);
  assertEquals(await answer(log, "b", 8), [[9], false, false]);
});

test("after() gives as much as fits, and one event in any case", async ({ open }) => {
  const log = open();
  await log.append("a", events("a", 1, 4, 100));
  await log.append("a", events("a", 5, 6, 100));
  assertEquals(await answer(log, "a", 0, 300), [[1, 2, 3], false, true]);
  assertEquals(await answer(log, "a", 0, 299), [[1, 2], false, true]);
  assertEquals(await answer(log, "a", 3, 200), [[4, 5], false, true]);
  assertEquals(await answer(log, "a", 3, 0), [[4], false, true]);
  assertEquals(await answer(log, "a", 2, 400), [[3, 4, 5, 6], false, false]);
  assertEquals(await answer(log, "a", 5, 0), [[6], false, false]);
});

test("the bytes of a stream are bounded, what each event costs beside them included", async ({ open }) => {
  const log = open({ maxStreamBytes: 3 * (100 + EVENT_OVERHEAD_BYTES) });
  for (let seq = 1; seq <= 3; seq++) await log.append("a", [event("a", seq, 100)]);
  assertEquals(log.size.bytes, 3 * (100 + EVENT_OVERHEAD_BYTES));
  assertEquals(await answer(log, "a", 0), [[1, 2, 3], false, false]);
  await log.append("a", [event("a", 4, 101)]);
  assertEquals(await answer(log, "a", 0), [[3, 4], true, false]);
  assertEquals(log.size, { streams: 1, events: 2, bytes: 201 + 2 * EVENT_OVERHEAD_BYTES });
});

test("the oldest events of all streams go first when the total is reached", async ({ open }) => {
  for (
    const limits of [{ maxEvents: 4 }, { maxBytes: 4 * (100 + EVENT_OVERHEAD_BYTES) }]
  ) {
    const log = open(limits);
    await log.append("a", events("a", 1, 2, 100));
    await log.append("b", [event("b", 1, 100)]);
    await log.append("a", [event("a", 3, 100)]);
    await log.append("b", [event("b", 2, 100)]);
    assertEquals(await answer(log, "a", 0), [[2, 3], true, false]);
    await log.append("b", events("b", 3, 4, 100));
    assertEquals(await answer(log, "a", 0), [[3], true, false]);
    assertEquals(await answer(log, "b", 0), [[2, 3, 4], true, false]);
    await log.append("c", events("c", 1, 9, 100));
    assertEquals(await answer(log, "c", 0), [[6, 7, 8, 9], true, false]);
    assertEquals(log.size.events, 4);
    assertEquals(await answer(log, "b", 4), [[], false, false]);
  }
});

test("events go when they are too old, without a timer", async ({ open, clock }) => {
  const log = open();
  await log.append("a", [event("a", 1)]);
  clock.advance(500);
  await log.append("a", [event("a", 2)]);
  clock.advance(499);
  assertEquals(await answer(log, "a", 0), [[1, 2], false, false]);
  clock.advance(1);
  assertEquals(await answer(log, "a", 0), [[2], true, false]);
  clock.advance(500);
  await log.append("b", []);
  assertEquals(log.size, { streams: 2, events: 0, bytes: 0 });
  // Who has all there was misses nothing.
  assertEquals(await answer(log, "a", 2), [[], false, false]);
  assertEquals(await answer(log, "a", 1), [[], true, false]);
});

test("an event that is larger than its stream may be is not kept", async ({ open }) => {
  const log = open({ maxStreamBytes: 1_000 + EVENT_OVERHEAD_BYTES });
  await log.append("a", [event("a", 1), event("a", 2, 1_001), event("a", 3)]);
  assertEquals(await answer(log, "a", 0), [[1, 3], true, false]);
  assertEquals(await answer(log, "a", 0, 0), [[1], false, true]);
  assertEquals(await answer(log, "a", 1), [[3], true, false]);
  assertEquals(await answer(log, "a", 2), [[3], false, false]);
  await log.append("a", [event("a", 4, 1_001)]);
  assertEquals(await answer(log, "a", 3), [[], true, false]);
  assertEquals(await answer(log, "a", 4), [[], false, false]);
  await log.append("a", [event("a", 5, 1_000)]);
  assertEquals(await answer(log, "a", 4), [[5], false, false]);
});

test("an event that is larger than the whole log may be drives nothing out", async ({ open }) => {
  const log = open({ maxBytes: 1_000 });
  await log.append("a", [event("a", 1)]);
  await log.append("b", [event("b", 1, 1_001)]);
  assertEquals(await answer(log, "a", 0), [[1], false, false]);
  assertEquals(await answer(log, "b", 0), NOTHING);
});

test("the stream that was not written to for longest gives way", async ({ open }) => {
  const log = open({ maxStreams: 2 });
  await log.append("a", [event("a", 1)]);
  await log.append("b", [event("b", 1)]);
  await log.append("a", [event("a", 2)]);
  await log.append("c", [event("c", 1)]);
  assertEquals(await answer(log, "b", 0), NOTHING);
  assertEquals(await answer(log, "a", 0), [[1, 2], false, false]);
  assertEquals(log.size.streams, 2);
  // A stream that gave way and goes on has lost its beginning.
  await log.append("b", [event("b", 2)]);
  assertEquals(await answer(log, "b", 0), [[2], true, false]);
  assertEquals(await answer(log, "b", 1), [[2], false, false]);
});

test("a stream is known once it was begun without events", async ({ open }) => {
  const log = open();
  await log.append("a", []);
  assertEquals(await answer(log, "a", 0), [[], false, false]);
  assertEquals(await answer(log, "a", 1), NOTHING);
});

test("forget() drops a stream; one of the same name begins anew", async ({ open }) => {
  const log = open();
  await log.append("a", events("a", 1, 5));
  await log.append("b", events("b", 1, 2));
  await log.forget("a");
  await log.forget("unknown");
  assertEquals(await answer(log, "a", 5), NOTHING);
  assertEquals(log.size.events, 2);
  await log.append("a", [event("a", 1)]);
  assertEquals(await answer(log, "a", 0), [[1], false, false]);
});

test("numbers that do not rise are refused as a whole, those left out are a gap", async ({ open }) => {
  const log = open();
  await log.append("a", events("a", 1, 2));
  for (const seqs of [[2], [3, 3], [4, 3], [0], [1.5], [2 ** 53]]) {
    await assertRejects(
      async () => void (await log.append("a", seqs.map((seq) => event("a", seq)))),
      RangeError,
    );
    await assertRejects(async () => void (await log.append("new", [event("new", 0)])), RangeError);
  }
  assertEquals(await answer(log, "a", 0), [[1, 2], false, false]);
  assertEquals(log.size.streams, 1);
  await log.append("a", [event("a", 4), event("a", 6)]);
  assertEquals(await answer(log, "a", 0), [[1, 2, 4, 6], true, false]);
  assertEquals(await answer(log, "a", 2), [[4, 6], true, false]);
  assertEquals(await answer(log, "a", 4), [[6], true, false]);
  assertEquals(await answer(log, "a", 5), [[6], false, false]);
});

test("rewind() drops what stands behind a number, and the stream goes on from there", async ({ open }) => {
  const log = open();
  // In memory nothing outlives its holder.
  if (log.rewind === undefined) return;
  await log.append("a", events("a", 1, 5));
  await log.rewind("a", 3);
  assertEquals(await answer(log, "a", 0), [[1, 2, 3], false, false]);
  assertEquals(await answer(log, "a", 3), [[], false, false]);
  assertEquals(await answer(log, "a", 4), NOTHING);
  await log.append("a", events("a", 4, 4));
  assertEquals(await answer(log, "a", 2), [[3, 4], false, false]);
  await log.rewind("a", 9);
  await log.rewind("none", 1);
  assertEquals(await answer(log, "a", 0), [[1, 2, 3, 4], false, false]);
  assertEquals(await answer(log, "none", 0), NOTHING);
});

test("what was appended does not change with the buffer it came in", async ({ open }) => {
  const log = open();
  const buffer = new TextEncoder().encode("....a:1;a:2;....");
  await log.append("a", [{ seq: 1, bytes: buffer.subarray(4, 8) }]);
  await log.append("a", [
    { seq: 2, bytes: buffer.subarray(8, 12) },
    { seq: 3, bytes: new Uint8Array() },
    { seq: 4, bytes: buffer.subarray(4, 12) },
  ]);
  buffer.fill(0);
  const { events } = await log.after("a", 0, 1_000);
  const found = events.map(({ bytes }) => new TextDecoder().decode(bytes));
  assertEquals(found, ["a:1;", "a:2;", "", "a:1;a:2;"]);
});

test("a log that is closed holds nothing and takes nothing", async ({ open }) => {
  const log = open();
  await log.append("a", events("a", 1, 5));
  await log.close();
  await log.close();
  await log.append("a", [event("a", 6)]);
  await log.forget("a");
  assertEquals(await answer(log, "a", 0), NOTHING);
  assertEquals(log.size, { streams: 0, events: 0, bytes: 0 });
});

test("R86 a stream that never ends stays within its bounds", async ({ open, store, clock }) => {
  const log = open({ maxStreamEvents: 2_000, maxStreamBytes: 2_000 * 600 });
  const bytes = new TextEncoder().encode("a:x".padEnd(100, "."));
  for (let seq = 1; seq <= store.appends; seq++) {
    await log.append("a", [{ seq, bytes }]);
    if (seq % 100 === 0) clock.advance(1);
    if (log.size.events > 2_000) throw new Error(`${log.size.events} events`);
  }
  assertEquals(log.size.events, 1_000);
  assertEquals(log.size.bytes, 1_000 * (100 + EVENT_OVERHEAD_BYTES));
  const { events } = await log.after("a", store.appends - 2, 1_000);
  assertEquals(events.map(({ seq }) => seq), [
    store.appends - 1,
    store.appends,
  ]);
});

const STREAM = fc.constantFrom("a", "b", "c", "d");
const SIZE = fc.oneof(
  { arbitrary: fc.integer({ min: 6, max: 60 }), weight: 9 },
  fc.integer({ min: 3_000, max: 8_000 }),
);
const COMMAND = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      stream: STREAM,
      skip: fc.oneof({ arbitrary: fc.constant(0), weight: 9 }, fc.integer({ min: 1, max: 3 })),
      sizes: fc.array(SIZE, { maxLength: 9 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("after" as const),
      stream: STREAM,
      back: fc.integer({ min: -2, max: 12 }),
      maxBytes: fc.integer({ min: 0, max: 9_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const), stream: STREAM }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("advance" as const),
      ms: fc.integer({ min: 1, max: 40 }),
    }),
  },
);

const SMALL_LIMITS = fc.record({
  maxEvents: fc.integer({ min: 1, max: 20 }),
  maxBytes: fc.integer({ min: 8_000, max: 16_000 }),
  maxStreamEvents: fc.integer({ min: 1, max: 12 }),
  maxStreamBytes: fc.integer({ min: 600, max: 7_000 }),
  maxAgeMs: fc.integer({ min: 1, max: 100 }),
  maxStreams: fc.integer({ min: 1, max: 4 }),
});

test("any sequence of calls has the outcome that a naive log has", async ({ open, clock, store }) => {
  const commands = fc.array(COMMAND, { maxLength: 60, size: "max" });
  await fc.assert(
    fc.asyncProperty(SMALL_LIMITS, commands, async (limits, commands) => {
      const log = open(limits);
      const model = new EventLogModel(clock, limits);
      for (const command of commands) {
        if (command.kind === "append") {
          const { stream, skip, sizes } = command;
          const from = (model.newest.get(stream) ?? 0) + 1 + skip;
          await log.append(stream, sizes.map((size, index) => event(stream, from + index, size)));
          model.append(stream, sizes.map((size, index) => [from + index, size]));
        } else if (command.kind === "after") {
          const { stream, back, maxBytes } = command;
          const seq = Math.max(0, (model.newest.get(stream) ?? 0) - back);
          assertEquals(
            await answer(log, stream, seq, maxBytes),
            model.after(stream, seq, maxBytes),
          );
          assertEquals(log.size, model.size);
        } else if (command.kind === "forget") {
          await log.forget(command.stream);
          model.forget(command.stream);
        } else clock.advance(command.ms);
      }
      for (const stream of ["a", "b", "c", "d"]) {
        assertEquals(await answer(log, stream, 0), model.after(stream, 0, 1_000_000));
      }
      assertEquals(log.size, model.size);
      await log.close();
    }),
    { numRuns: store.modelRuns },
  );
});
