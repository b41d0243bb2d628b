import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type RedisConnection, RedisError, type RedisReply } from "../redis/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { alteredConnection, redisTest, type TestRedis } from "../testing/redis.ts";
import {
  EVENT_OVERHEAD_BYTES,
  EventLogError,
  type EventLogLimits,
  type LoggedEvent,
  RedisEventLog,
} from "./mod.ts";
import { KNOWN_LONGER_MS } from "./redis.ts";

const LIMITS: EventLogLimits = {
  maxEvents: 20_000,
  maxBytes: 16_000_000,
  maxStreamEvents: 10_000,
  maxStreamBytes: 8_000_000,
  maxAgeMs: 60_000,
  maxStreams: 100,
};

/** Registers a test that opens logs, each an instance with a connection of its own. */
function test(name: string, run: (bench: Bench) => Promise<void>): void {
  redisTest(`redis: ${name}`, async (redis) => {
    const logs: RedisEventLog[] = [];
    const clock = new ManualClock();
    const own = await redis.connect();
    const open = async (limits: Partial<EventLogLimits> = {}, wrap: Wrap = (same) => same) => {
      const connection = wrap(await redis.connect());
      logs.push(new RedisEventLog(clock, { ...LIMITS, ...limits }, connection));
      return logs.at(-1)!;
    };
    await run({ redis, clock, open, command: (...args) => own.command(...args) });
    for (const log of logs) await log.close();
  });
}

type Wrap = (connection: RedisConnection) => RedisConnection;
type Send = RedisConnection["command"];

interface Bench {
  readonly redis: TestRedis;
  readonly clock: ManualClock;
  /** Another instance. */
  open(limits?: Partial<EventLogLimits>, wrap?: Wrap): Promise<RedisEventLog>;
  /** What somebody else sees of Redis. */
  readonly command: Send;
}

/** The same connection, with `act` in between. */
function between(act: (send: () => Promise<RedisReply>) => Promise<RedisReply>): Wrap {
  return (connection) =>
    alteredConnection(connection, {
      command: (...args) => act(() => connection.command(...args)),
      bytesCommand: (...args) => act(() => connection.bytesCommand(...args)),
    });
}

/** Counts the commands that have no answer yet. */
function underWay() {
  const counted = {
    commands: 0,
    wrap: between((send) => {
      counted.commands++;
      return send().finally(() => counted.commands--);
    }),
  };
  return counted;
}

function events(from: number, to: number): LoggedEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    seq: from + index,
    bytes: new TextEncoder().encode(`event ${from + index}`),
  }));
}

function numbers(from: number, to: number): number[] {
  return events(from, to).map(({ seq }) => seq);
}

async function seqs(log: RedisEventLog, stream: string, seq: number) {
  const replay = await log.after(stream, seq, 10_000_000);
  for (const { seq, bytes } of replay.events) {
    assertEquals(new TextDecoder().decode(bytes), `event ${seq}`);
  }
  return [replay.events.map(({ seq }) => seq), replay.gap];
}

const UNKNOWN = [[], true];

test("R67 what one instance has appended, another replays, and each may forget", async ({ open }) => {
  const [one, other] = [await open(), await open()];
  await one.append("a", []);
  assertEquals(await seqs(other, "a", 0), [[], false]);
  await one.append("a", events(1, 3));
  await one.append("a", events(4, 4));
  await one.append("a", events(6, 6));
  assertEquals(await seqs(other, "a", 0), [[1, 2, 3, 4, 6], true]);
  assertEquals(await seqs(other, "a", 2), [[3, 4, 6], true]);
  assertEquals(await seqs(other, "a", 5), [[6], false]);
  assertEquals(await seqs(other, "a", 6), [[], false]);
  assertEquals(await seqs(other, "a", 7), UNKNOWN);
  assertEquals(await seqs(other, "b", 0), UNKNOWN);
  assertEquals(other.size, { streams: 0, events: 0, bytes: 0 });
  const { events: some, more } = await other.after("a", 0, 20);
  assertEquals([some.map(({ seq }) => seq), more], [[1, 2], true]);
  await other.forget("a");
  assertEquals(await seqs(one, "a", 0), UNKNOWN);
});

test("bytes of any value come back as they were", async ({ open }) => {
  const [one, other] = [await open(), await open()];
  const property = fc.asyncProperty(
    fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 300 }),
    async (all) => {
      const stream = crypto.randomUUID();
      const given = all.map((bytes, at) => ({ seq: at + 1, bytes: Uint8Array.from(bytes) }));
      await one.append(stream, given);
      assertEquals((await other.after(stream, 0, Infinity)).events, given);
    },
  );
  await fc.assert(property, { numRuns: 20 });
  const large = Uint8Array.from({ length: 2_000_000 }, (_, at) => at * 7 + (at >> 8));
  await one.appendRun("large", 1, large, [1_000_000, 1_000_000, 2_000_000]);
  const replay = await other.after("large", 0, Infinity);
  assertEquals(replay.events.map(({ bytes }) => bytes.length), [1_000_000, 0, 1_000_000]);
  assertEquals(new Uint8Array(await new Blob(replay.events.map((e) => e.bytes)).bytes()), large);
});

test("an instance takes a stream over: its numbers and limits go on", async ({ open, command, redis }) => {
  const dead = await open();
  await dead.append("a", events(1, 2_500));
  const heir = await open({ maxStreamEvents: 2_600 });
  await assertRejects(() => heir.append("a", events(2_500, 2_501)), RangeError);
  assertEquals(heir.size.events, 2_500);
  await heir.append("a", events(2_501, 2_700));
  assertEquals(heir.size.events, 2_600);
  assertEquals(await command("XLEN", `${redis.prefix}:events:a`), 2_600);
  assertEquals(await seqs(heir, "a", 100), [numbers(101, 2_700), false]);
  assertEquals(await seqs(heir, "a", 99), [numbers(101, 2_700), true]);
});

test("what waits for a takeover keeps its order", async ({ open }) => {
  const dead = await open();
  await dead.append("a", events(1, 3));
  const heir = await open();
  const outcomes = await Promise.allSettled([
    heir.append("a", events(4, 5)),
    heir.append("a", events(5, 6)),
    heir.append("a", events(6, 7)),
    seqs(heir, "a", 0),
  ]);
  assertEquals(outcomes.map((outcome) => outcome.status === "fulfilled" ? outcome.value : "no"), [
    undefined,
    "no",
    undefined,
    [numbers(1, 7), false],
  ]);
  const later = [
    heir.append("a", events(8, 8)),
    heir.forget("a"),
    heir.append("a", []),
    heir.append("a", events(1, 1)),
  ];
  assertEquals(await seqs(heir, "a", 0), [[1], false]);
  await Promise.all(later);
  // What else is appended must not have the forgotten stream go once more.
  await heir.append("b", events(1, 1));
  assertEquals(await seqs(heir, "a", 0), [[1], false]);
});

test("a takeover that takes longer than events are held loses no new one", async ({ open, clock }) => {
  const dead = await open();
  await dead.append("a", events(1, 3));
  let commands = 0;
  const slow = between(async (send) => {
    if (++commands !== 2) return await send();
    clock.advance(1_000);
    await heir.after("b", 0, 1);
    return await send();
  });
  const heir = await open({ maxAgeMs: 1_000 }, slow);
  await heir.append("a", events(4, 4));
  assertEquals(await seqs(heir, "a", 3), [[4], false]);
});

test("an instance whose stream was taken over leaves it alone", async ({ open, clock }) => {
  const one = await open({ maxStreams: 1, maxAgeMs: 1_000 });
  await one.append("a", events(1, 3));
  const heir = await open();
  await heir.append("a", events(4, 5));
  clock.advance(500);
  await one.append("b", events(1, 1));
  assertEquals(one.size.streams, 1);
  assertEquals(await seqs(heir, "a", 0), [[1, 2, 3, 4, 5], false]);
  // It may also come back.
  await one.append("a", events(6, 6));
  assertEquals(one.size.events, 6);
  assertEquals(await seqs(heir, "a", 0), [[1, 2, 3, 4, 5, 6], false]);
});

test("R80 two instances that write to one stream lose nothing that was acknowledged", async ({ open }) => {
  const logs = [await open(), await open()];
  const acknowledged: number[] = [];
  for (let seq = 1; seq <= 200; seq += 2) {
    await Promise.all(logs.map(async (log, at) => {
      try {
        await log.append("a", events(seq + at, seq + at));
        acknowledged.push(seq + at);
      } catch (error) {
        assert(error instanceof RangeError || error instanceof EventLogError);
      }
    }));
  }
  assert(acknowledged.length >= 100, `${acknowledged.length} acknowledged`);
  const { events: held } = await logs[0]!.after("a", 0, Infinity);
  const kept = new Set(held.map(({ seq }) => seq));
  assertEquals(acknowledged.filter((seq) => !kept.has(seq)), []);
});

test("events are given for as long as they are young, whoever wrote them", async ({ open, clock }) => {
  const [one, other] = [await open({ maxAgeMs: 1_000 }), await open({ maxAgeMs: 1_000 })];
  await one.append("a", events(1, 1));
  clock.advance(600);
  await one.append("a", events(2, 3));
  clock.advance(400);
  assertEquals(await seqs(other, "a", 0), [[2, 3], true]);
  await other.append("a", events(4, 4));
  assertEquals(other.size.events, 3);
  clock.advance(600);
  assertEquals(await seqs(one, "a", 1), [[4], true]);
  assertEquals(await seqs(one, "a", 3), [[4], false]);
});

test("R86 Redis holds no stream for ever, and each append renews the time", async (bench) => {
  const { open, command, redis } = bench;
  const log = await open({ maxAgeMs: 3_600_000 });
  const keys = ["events", "newest"].map((kind) => `${redis.prefix}:${kind}:a`);
  for (const seq of [1, 2]) {
    await log.append("a", events(seq, seq));
    for (const key of keys) {
      const leftMs = await command("PTTL", key) as number;
      const mostMs = 3_600_000 + KNOWN_LONGER_MS;
      assert(leftMs <= mostMs && leftMs > mostMs - 50_000, `${leftMs} ms`);
      await command("PEXPIRE", key, "1000");
    }
  }
  assertEquals((await command("KEYS", `${redis.prefix}:*`) as string[]).toSorted(), keys);
});

test("R86 10,000 events stay within the limits of a stream, in Redis too", async (bench) => {
  const { open, command, redis } = bench;
  let commands = 0;
  const log = await open({ maxStreamEvents: 1_000 }, between((send) => (commands++, send())));
  const length = () => command("XLEN", `${redis.prefix}:events:a`) as Promise<number>;
  const all = events(1, 10_000);
  for (let at = 0; at < 5_000; at += 100) await log.append("a", all.slice(at, at + 100));
  assertEquals(await length(), 1_000);
  await log.append("a", all.slice(5_000, 8_000));
  assertEquals(await length(), 1_000);
  commands = 0;
  // What comes while an append is under way goes together.
  await Promise.all(all.slice(8_000).map((event) => log.append("a", [event])));
  assert(commands <= 4, `${commands} commands`);
  assertEquals(await length(), 1_000);
  assertEquals(await seqs(log, "a", 9_000), [numbers(9_001, 10_000), false]);
  assertEquals(await seqs(log, "a", 8_999), [numbers(9_001, 10_000), true]);
  commands = 0;
  await log.append("a", events(10_001, 10_001));
  assertEquals([commands, await length()], [1, 1_000]);
  await log.forget("a");
  await log.append("b", []);
  assertEquals(commands, 3);
});

test("R86 the limits of all streams hold in Redis too", async ({ open, command, redis }) => {
  const under = underWay();
  const log = await open({ maxEvents: 60, maxStreams: 20 }, under.wrap);
  for (let round = 0; round < 10; round++) {
    for (let stream = 0; stream < 30; stream++) {
      await log.append(`${stream}`, events(round * 5 + 1, round * 5 + 5));
      assertEquals(under.commands, 0);
    }
  }
  assertEquals(log.size.streams, 20);
  const keys = await command("KEYS", `${redis.prefix}:events:*`) as string[];
  const lengths = await Promise.all(keys.map((key) => command("XLEN", key) as Promise<number>));
  assertEquals(lengths.reduce((sum, length) => sum + length, 0), log.size.events);
  assertEquals((await command("KEYS", `${redis.prefix}:newest:*`) as string[]).length, 20);
});

test("R86 what waits for Redis is bounded", async ({ open }) => {
  const { promise: opened, resolve: release } = Promise.withResolvers<void>();
  const limits = { maxBytes: 20 * (1_000 + EVENT_OVERHEAD_BYTES) };
  const log = await open(limits, between((send) => opened.then(send)));
  const appends: Promise<string>[] = [];
  for (let seq = 1; seq <= 100; seq++) {
    const append = log.append(`${seq % 7}`, [{ seq, bytes: new Uint8Array(1_000) }]);
    appends.push(append.then(() => "kept", ({ message }: Error) => message));
  }
  release();
  const outcomes = await Promise.all(appends);
  const kept = outcomes.filter((outcome) => outcome === "kept").length;
  assert(kept >= 10 && kept <= 20, `${kept} kept`);
  assertEquals(outcomes.at(-1), "Too much waits for the event log in Redis.");
  await log.append("later", events(1, 1));
});

redisTest("redis: R80 what a Redis that was restarted has lost is a gap", async (redis) => {
  const connection = await redis.connect();
  const log = new RedisEventLog(new ManualClock(), LIMITS, connection);
  await log.append("a", events(1, 3));
  const { promise: again, resolve } = Promise.withResolvers<void>();
  connection.onReconnect(resolve);
  await redis.restart();
  await again;
  // The connection for commands may be there later than that for channels; until then it refuses at once.
  const other = await redis.connect();
  while (!await log.after("a", 3, 1).then(() => true, () => false)) await other.command("PING");
  assertEquals(await seqs(log, "a", 2), UNKNOWN);
  await log.append("a", events(4, 5));
  assertEquals(await seqs(log, "a", 2), [[4, 5], true]);
  assertEquals(await seqs(log, "a", 3), [[4, 5], false]);
  assertEquals(log.size.events, 2);
  await log.close();
});

test("R80 an append that failed is a gap, at once here and elsewhere with the next", async ({ open }) => {
  let fails = false;
  const failing = between((send) => fails ? Promise.reject(new RedisError("down")) : send());
  const [log, other] = [await open({}, failing), await open()];
  await log.append("a", events(1, 3));
  fails = true;
  await assertRejects(() => log.append("a", events(4, 5)), EventLogError, "down");
  await assertRejects(() => log.after("a", 0, 1), EventLogError, "down");
  await assertRejects(() => log.forget("b"), EventLogError, "down");
  fails = false;
  assertEquals(await seqs(log, "a", 2), [[3], true]);
  await log.append("a", []);
  assertEquals(await seqs(other, "a", 2), [[3], true]);
  await log.append("a", events(6, 6));
  for (const each of [log, other]) {
    assertEquals(await seqs(each, "a", 2), [[3, 6], true]);
    assertEquals(await seqs(each, "a", 5), [[6], false]);
  }
  assertEquals(log.size.events, 4);
  // What Redis loses meanwhile is not in the books either.
  fails = true;
  await assertRejects(() => log.append("a", events(7, 7)), EventLogError, "down");
  await other.forget("a");
  fails = false;
  await log.append("a", events(8, 8));
  assertEquals(log.size.events, 1);
});

test("an append that Redis did, but of which nobody heard, is counted and no gap", async ({ open }) => {
  let deaf = false;
  const lossy = between(async (send) => {
    const reply = await send();
    if (deaf) throw new RedisError("timeout");
    return reply;
  });
  const log = await open({ maxStreamEvents: 4 }, lossy);
  await log.append("a", events(1, 2));
  deaf = true;
  await assertRejects(() => log.append("a", events(3, 4)), EventLogError, "timeout");
  deaf = false;
  await log.append("a", events(5, 5));
  assertEquals(await seqs(log, "a", 1), [[2, 3, 4, 5], false]);
  assertEquals(log.size.events, 4);
});

test("a Redis that has forgotten the scripts, or half of a stream, is no trouble", async (bench) => {
  const { open, command, redis } = bench;
  const log = await open();
  await log.append("a", events(1, 3));
  await command("SCRIPT", "FLUSH");
  await log.append("a", events(4, 4));
  assertEquals(await seqs(log, "a", 0), [[1, 2, 3, 4], false]);
  await command("DEL", `${redis.prefix}:newest:a`);
  assertEquals(await seqs(log, "a", 0), UNKNOWN);
  await log.append("a", events(5, 5));
  assertEquals(await seqs(log, "a", 0), [[5], true]);
  await command("DEL", `${redis.prefix}:events:a`);
  assertEquals(await seqs(log, "a", 4), [[], true]);
  await log.append("a", events(6, 6));
  assertEquals(await seqs(log, "a", 4), [[6], true]);
  await command("SET", `${redis.prefix}:events:b`, "something else");
  await command("SET", `${redis.prefix}:newest:b`, "1");
  await assertRejects(() => log.after("b", 0, 1), EventLogError, "WRONGTYPE");
});

test("one call takes about a megabyte of what waits, and a larger append in any case", async (bench) => {
  const sizes: number[] = [];
  const measured: Wrap = (connection) =>
    alteredConnection(connection, {
      bytesCommand(...args) {
        sizes.push(args.at(-1)!.length);
        return connection.bytesCommand(...args);
      },
    });
  const log = await bench.open({}, measured);
  await log.append("a", []);
  sizes.length = 0;
  const bytes = new Uint8Array(300_000);
  const appends = [1, 2, 3, 4, 5, 6].map((seq) => log.append("a", [{ seq, bytes }]));
  appends.push(log.append("a", [{ seq: 7, bytes: new Uint8Array(3_000_000) }]));
  await Promise.all(appends);
  assertEquals(sizes.pop(), 3_000_000);
  assertEquals(sizes.reduce((sum, size) => sum + size), 1_800_000);
  assert(sizes.length <= 3 && sizes.every((size) => size <= 1_048_576), sizes.join());
});

test("close() waits for what is under way", async ({ open }) => {
  const under = underWay();
  const [log, other] = [await open({}, under.wrap), await open()];
  void log.append("a", events(1, 2));
  void log.append("a", events(3, 3));
  const refused = assertRejects(() => log.append("a", events(3, 3)), RangeError);
  await log.close();
  assertEquals(under.commands, 0);
  await refused;
  assertEquals(await seqs(other, "a", 0), [[1, 2, 3], false]);
  assertEquals(log.size, { streams: 0, events: 0, bytes: 0 });
});
