import { assert, assertEquals, assertRejects } from "@std/assert";
import { redisTest } from "../testing/redis.ts";
import { fullRecordFor, recordFor, STORE_LIMITS, StoreClock } from "../testing/session_stores.ts";
import {
  MemorySessionStore,
  RedisSessionStore,
  type SessionRecord,
  type SessionStore,
  SessionStoreError,
  SqliteSessionStore,
  SWEEP_RECORDS,
} from "./mod.ts";

const { idleTimeoutMs, lifetimeMs } = STORE_LIMITS;

interface Given {
  readonly store: SessionStore;
  readonly clock: StoreClock;
}

async function withStore(
  open: (clock: StoreClock) => SessionStore | Promise<SessionStore>,
  run: (given: Given) => Promise<void>,
): Promise<void> {
  const clock = new StoreClock();
  const store = await open(clock);
  try {
    await run({ store, clock });
    assertEquals(clock.timers, 0, "the store has set a timer");
  } finally {
    await store.close();
  }
}

/** Registers a test for each of the stores. */
function test(name: string, run: (given: Given) => Promise<void>): void {
  Deno.test(
    `memory: ${name}`,
    () => withStore((clock) => new MemorySessionStore(clock, STORE_LIMITS), run),
  );
  Deno.test(`sqlite: ${name}`, async () => {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/sessions.db`;
    try {
      await withStore((clock) => new SqliteSessionStore(clock, STORE_LIMITS, path), run);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
  redisTest(`redis: ${name}`, async (redis) => {
    const connection = await redis.connect();
    await withStore((clock) => RedisSessionStore.open(clock, STORE_LIMITS, connection), run);
  });
}

test("a record with everything in it comes back as it was, and one with little too", async ({ store, clock }) => {
  const records = [fullRecordFor(clock, "full"), recordFor(clock, "small")];
  for (const record of records) await store.save(record);
  for (const record of records) assertEquals(await store.load(record.key), record);
  assertEquals(await store.load("none"), undefined);
});

test("keys may be any text", async ({ store, clock }) => {
  const keys = [
    "__proto__",
    "constructor",
    "",
    "a b",
    "a",
    "A",
    "ключ",
    "x".repeat(1_000),
    "%s'\"\n",
  ];
  for (const key of keys) assertEquals(await store.load(key), undefined, key);
  for (const key of keys) await store.save(recordFor(clock, key));
  for (const key of keys) assertEquals(await store.load(key), recordFor(clock, key));
  for (const key of keys) assertEquals(await store.delete(key), true, key);
});

test("save() replaces the record, also what the new one leaves out", async ({ store, clock }) => {
  await store.save(fullRecordFor(clock, "a"));
  await store.save(recordFor(clock, "a", { upstreamId: "other" }));
  assertEquals(await store.load("a"), recordFor(clock, "a", { upstreamId: "other" }));
});

test("R77 what a record does not have is not kept", async ({ store, clock }) => {
  const more = { id: "the client's id" } as Partial<SessionRecord>;
  await store.save(recordFor(clock, "a", more));
  assertEquals(await store.load("a"), recordFor(clock, "a"));
  await store.update("a", (record) => ({ ...record, generation: 1, ...more }));
  assertEquals(await store.load("a"), recordFor(clock, "a", { generation: 1 }));
});

test("what is given and taken cannot be changed from outside", async ({ store, clock }) => {
  const given = { ...recordFor(clock, "a"), subscriptions: ["x"] };
  await store.save(given);
  given.upstreamId = "changed";
  given.subscriptions.push("y");
  const updated = await store.update("a", (record) => {
    assert(Object.isFrozen(record) && Object.isFrozen(record.subscriptions));
    return { ...record, generation: 1 };
  });
  await store.touch("a", clock.nowMs + 1);
  const loaded = await store.load("a");
  assertEquals(
    loaded,
    recordFor(clock, "a", { subscriptions: ["x"], generation: 1, lastUsedMs: clock.nowMs + 1 }),
  );
  for (const record of [updated!, loaded!]) {
    assert(Object.isFrozen(record) && Object.isFrozen(record.subscriptions));
  }
});

/** What each method makes of a record that is there or not. */
async function answers(store: SessionStore, clock: StoreClock) {
  await store.touch("a", clock.nowMs);
  return [
    await store.load("a") !== undefined,
    await store.update("a", (record) => record) !== undefined,
    await store.delete("a"),
  ];
}

test("a record is gone when it was not used for the idle time, and not before", async ({ store, clock }) => {
  await store.save(recordFor(clock, "a"));
  clock.advance(idleTimeoutMs - 1);
  assertEquals(await answers(store, clock), [true, true, true]);
  await store.save(recordFor(clock, "a"));
  clock.advance(idleTimeoutMs);
  assertEquals(await answers(store, clock), [false, false, false]);
});

test("a record is gone at the end of its lifetime, however lately it was used", async ({ store, clock }) => {
  const use = async () => {
    for (let ms = 100_000; ms < lifetimeMs; ms += 100_000) {
      clock.advance(100_000);
      await store.touch("a", clock.nowMs);
    }
  };
  await store.save(recordFor(clock, "a"));
  await use();
  clock.advance(99_999);
  assertEquals(await answers(store, clock), [true, true, true]);
  await store.save(recordFor(clock, "a"));
  await use();
  clock.advance(100_000);
  assertEquals(await answers(store, clock), [false, false, false]);
});

test("save() of a record that is too old already keeps nothing that can be had", async ({ store, clock }) => {
  await store.save(recordFor(clock, "a", { lastUsedMs: clock.nowMs - idleTimeoutMs }));
  assertEquals(await answers(store, clock), [false, false, false]);
  await store.save(recordFor(clock, "a"));
  assertEquals(await answers(store, clock), [true, true, true]);
});

test("touch() moves the last use on and never back, and makes no record", async ({ store, clock }) => {
  const record = fullRecordFor(clock, "a");
  await store.save(record);
  await store.touch("a", record.lastUsedMs + 500);
  await store.touch("a", record.lastUsedMs + 200);
  await store.touch("b", record.lastUsedMs);
  assertEquals(await store.load("a"), { ...record, lastUsedMs: record.lastUsedMs + 500 });
  assertEquals(await store.load("b"), undefined);
});

test("delete() tells whether there was a record", async ({ store, clock }) => {
  await store.save(recordFor(clock, "a"));
  assertEquals(await store.delete("a"), true);
  assertEquals(await store.delete("a"), false);
  assertEquals(await store.load("a"), undefined);
});

test("update() gives and keeps what a record becomes", async ({ store, clock }) => {
  await store.save(fullRecordFor(clock, "a"));
  await store.touch("a", clock.nowMs + 7);
  const { logLevel: _, ...rest } = fullRecordFor(clock, "a");
  const wanted = { ...rest, generation: 2, lastUsedMs: clock.nowMs + 7 };
  const updated = await store.update(
    "a",
    ({ logLevel: _, ...record }) => ({ ...record, generation: 2 }),
  );
  assertEquals(updated, wanted);
  assertEquals(await store.load("a"), wanted);
});

test("update() leaves a record alone where it is told to, or cannot", async ({ store, clock }) => {
  const record = recordFor(clock, "a");
  await store.save(record);
  assertEquals(await store.update("a", () => undefined), undefined);
  const thrown = new RangeError("no");
  const refused = async () =>
    await store.update("a", () => {
      throw thrown;
    });
  assertEquals(await assertRejects(refused), thrown);
  assertEquals(await store.load("a"), record);
  let calls = 0;
  const none = await store.update("b", (record) => {
    calls++;
    return record;
  });
  assertEquals([none, calls], [undefined, 0]);
});

test("update() cannot change the key", async ({ store, clock }) => {
  await store.save(recordFor(clock, "a"));
  await store.update("a", (record) => ({ ...record, key: "b", generation: 1 }));
  assertEquals(await store.load("a"), recordFor(clock, "a", { generation: 1 }));
  assertEquals(await store.load("b"), undefined);
});

test("200 updates at once lose none", async ({ store, clock }) => {
  await store.save(recordFor(clock, "a"));
  await Promise.all(Array.from({ length: 200 }, async () => {
    await store.update("a", (record) => ({ ...record, generation: record.generation + 1 }));
  }));
  assertEquals((await store.load("a"))?.generation, 200);
});

test("lock() lets one in, until it is given back", async ({ store, clock }) => {
  const release = await store.lock("a", 60_000);
  assert(release !== undefined);
  assertEquals(await store.lock("a", 60_000), undefined);
  const other = await store.lock("b", 60_000);
  assert(other !== undefined);
  await release();
  const again = await store.lock("a", 60_000);
  assert(again !== undefined);
  await release();
  assertEquals(await store.lock("a", 60_000), undefined, "given back twice, it was another's");
  // A lock is neither a record nor in the way of one.
  assertEquals(await store.load("a"), undefined);
  await store.save(recordFor(clock, "a"));
  await again();
  await other();
  assertEquals(await store.load("a"), recordFor(clock, "a"));
});

test("nobody is told of changes that a store made itself", async ({ store, clock }) => {
  const told: unknown[] = [];
  store.onChange((key) => told.push(key));
  await store.save(recordFor(clock, "a"));
  await store.update("a", (record) => ({ ...record, generation: 1 }));
  await store.touch("a", clock.nowMs + 1);
  await store.delete("a");
  await store.load("a");
  assertEquals(told, []);
});

test("R82 sweep() drops what is too old, a bounded part at a time, and nothing else", async ({ store, clock }) => {
  if (store.size === undefined) return await store.sweep();
  const save = async (count: number, name: string, more: Partial<SessionRecord> = {}) => {
    for (let at = 0; at < count; at++) await store.save(recordFor(clock, `${name}${at}`, more));
  };
  await save(1_500, "idle");
  await save(1_500, "old", { createdMs: clock.nowMs + idleTimeoutMs - lifetimeMs });
  await save(10, "used");
  clock.advance(idleTimeoutMs - 1);
  await store.sweep();
  assertEquals(store.size, 3_010);
  for (let at = 0; at < 10; at++) await store.touch(`used${at}`, clock.nowMs);
  for (let at = 0; at < 1_500; at++) await store.touch(`old${at}`, clock.nowMs);
  await save(10, "new");
  clock.advance(1);
  for (let left = 3_020; left > 20;) {
    await store.sweep();
    left = Math.max(20, left - SWEEP_RECORDS);
    assertEquals(store.size, left);
  }
  await store.sweep();
  assertEquals(store.size, 20);
  for (const name of ["used", "new"]) {
    for (let at = 0; at < 10; at++) assert(await store.load(`${name}${at}`) !== undefined);
  }
});

test("size counts each record once", async ({ store, clock }) => {
  const sizes = [store.size];
  for (const key of ["a", "b", "a"]) {
    await store.save(recordFor(clock, key));
    sizes.push(store.size);
  }
  await store.update("a", (record) => ({ ...record, generation: 1 }));
  for (const key of ["a", "a"]) {
    await store.delete(key);
    sizes.push(store.size);
  }
  const unknown = sizes[0] === undefined;
  assertEquals(sizes, unknown ? sizes.map(() => undefined) : [0, 1, 2, 2, 1, 1]);
});

test("a store that is closed says so", async ({ store, clock }) => {
  const release = await store.lock("a", 60_000);
  await store.close();
  await store.close();
  await release!();
  await store.sweep();
  const acts: (() => unknown)[] = [
    () => store.load("a"),
    () => store.save(recordFor(clock, "a")),
    () => store.touch("a", clock.nowMs),
    () => store.delete("a"),
    () => store.update("a", (record) => record),
    () => store.lock("a", 1),
  ];
  for (const act of acts) {
    await assertRejects(async () => await act(), SessionStoreError, "The session store is closed.");
  }
});
