import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { RedisConnection } from "../redis/mod.ts";
import { redisTest, type TestRedis } from "../testing/redis.ts";
import { fullRecordFor, recordFor, STORE_LIMITS, StoreClock } from "../testing/session_stores.ts";
import { RedisSessionStore, SessionStoreError, type SessionStoreLimits } from "./mod.ts";

const { idleTimeoutMs, lifetimeMs } = STORE_LIMITS;

/** A store, its connection, and what it was told of changes. */
async function openStore(
  redis: TestRedis,
  clock: StoreClock,
  limits: SessionStoreLimits = STORE_LIMITS,
) {
  const connection = await redis.connect();
  const store = await RedisSessionStore.open(clock, limits, connection);
  const told: (string | undefined)[] = [];
  let heard = Promise.withResolvers<void>();
  store.onChange((key) => {
    told.push(key);
    heard.resolve();
    heard = Promise.withResolvers();
  });
  const untilTold = async (count: number) => {
    while (told.length < count) await heard.promise;
    return told;
  };
  return { store, connection, told, untilTold };
}

/** When a session is gone, as Redis has it. */
async function redisExpiry(connection: RedisConnection, key: string): Promise<number> {
  const name = `${connection.prefix}:session:${key}`;
  return Number(await connection.command("PEXPIRETIME", name));
}

redisTest(
  "redis: two instances see each other's changes, and are told of them alone",
  async (redis) => {
    const clock = new StoreClock();
    const [one, two] = [await openStore(redis, clock), await openStore(redis, clock)];
    await one.store.save(fullRecordFor(clock, "a"));
    assertEquals(await two.store.load("a"), fullRecordFor(clock, "a"));
    assertEquals(await two.untilTold(1), ["a"]);
    await one.store.update("a", (record) => ({ ...record, generation: 5 }));
    assertEquals(await two.untilTold(2), ["a", "a"]);
    await one.store.update("a", () => undefined);
    await one.store.touch("a", clock.nowMs + 9);
    assertEquals(await two.store.load("a"), {
      ...fullRecordFor(clock, "a"),
      generation: 5,
      lastUsedMs: clock.nowMs + 9,
    });
    assertEquals(await one.store.delete("a"), true);
    assertEquals(await one.store.delete("a"), false);
    assertEquals(await two.store.load("a"), undefined);
    // What comes of `two` comes after all that `one` could hear of itself.
    await two.store.save(recordFor(clock, "key with spaces"));
    assertEquals(await one.untilTold(1), ["key with spaces"]);
    await one.store.save(recordFor(clock, "last"));
    assertEquals(await two.untilTold(4), ["a", "a", "a", "last"]);
    for (const { store } of [one, two]) await store.close();
  },
);

redisTest(
  "redis: a store that is closed is told of nothing, and leaves the connection open",
  async (redis) => {
    const clock = new StoreClock();
    const [one, two] = [await openStore(redis, clock), await openStore(redis, clock)];
    await one.store.close();
    await two.store.save(recordFor(clock, "a"));
    assertEquals(await one.connection.command("EXISTS", `${redis.prefix}:session:a`), 1);
    const channel = `${redis.prefix}:sessions`;
    assertEquals(await one.connection.command("PUBSUB", "NUMSUB", channel), [channel, 1]);
    assertEquals(one.told, []);
    await two.store.close();
  },
);

redisTest("redis: 200 updates of each of two instances at once lose none", async (redis) => {
  const clock = new StoreClock();
  const stores = [(await openStore(redis, clock)).store, (await openStore(redis, clock)).store];
  await stores[0]!.save(recordFor(clock, "a"));
  let calls = 0;
  const updates = stores.flatMap((store) =>
    Array.from({ length: 200 }, () =>
      store.update("a", (record) => {
        calls++;
        return { ...record, generation: record.generation + 1 };
      }))
  );
  const results = await Promise.all(updates);
  assertEquals((await stores[0]!.load("a"))?.generation, 400);
  const seen = results.map((record) => record!.generation).toSorted((a, b) => a - b);
  assertEquals(seen, Array.from({ length: 400 }, (_, at) => at + 1));
  assert(calls > 400, "they never met, so this has shown nothing");
  for (const store of stores) await store.close();
});

redisTest("redis: an update that others always come before is given up", async (redis) => {
  const clock = new StoreClock();
  const { store, connection } = await openStore(redis, clock);
  await store.save(recordFor(clock, "a"));
  let calls = 0;
  const update = store.update("a", (record) => {
    calls++;
    // Sent before what the update itself writes, on the same connection.
    connection.command("HSET", `${redis.prefix}:session:a`, "version", `other ${calls}`);
    return record;
  });
  await assertRejects(() => update, SessionStoreError, "again and again");
  assertEquals(calls, 100);
  // The next one is not held up by it.
  assertEquals((await store.update("a", (record) => record))?.key, "a");
  await store.close();
});

redisTest(
  "redis: an update does not bring back what was deleted or made anew meanwhile",
  async (redis) => {
    const clock = new StoreClock();
    const { store } = await openStore(redis, clock);
    await store.save(recordFor(clock, "a"));
    const deleted = await store.update("a", (record) => {
      store.delete("a");
      return { ...record, generation: 1 };
    });
    assertEquals([deleted, await store.load("a")], [undefined, undefined]);
    await store.save(recordFor(clock, "a"));
    let calls = 0;
    const changed = await store.update("a", (record) => {
      if (calls++ === 0) {
        store.delete("a");
        store.save(recordFor(clock, "a", { upstreamId: "another" }));
      }
      return { ...record, generation: 1 };
    });
    assertEquals(changed, recordFor(clock, "a", { upstreamId: "another", generation: 1 }));
    // Nor does it lose a use.
    const used = await store.update("a", (record) => {
      store.touch("a", clock.nowMs + 5);
      return { ...record, generation: 2 };
    });
    assertEquals([used?.generation, used?.lastUsedMs], [2, clock.nowMs + 5]);
    await store.close();
  },
);

redisTest("redis: everything that is kept has an end, at the same time as here", async (redis) => {
  const clock = new StoreClock();
  const { store, connection } = await openStore(redis, clock);
  const startMs = clock.nowMs;
  await store.save(recordFor(clock, "a"));
  assertEquals(await redisExpiry(connection, "a"), startMs + idleTimeoutMs);
  await store.touch("a", startMs + 1_000);
  assertEquals(await redisExpiry(connection, "a"), startMs + 1_000 + idleTimeoutMs);
  await store.update("a", (record) => ({ ...record, lastUsedMs: startMs + 2_000 }));
  assertEquals(await redisExpiry(connection, "a"), startMs + 2_000 + idleTimeoutMs);
  await store.touch("a", startMs + lifetimeMs);
  assertEquals(await redisExpiry(connection, "a"), startMs + lifetimeMs);
  await store.save(recordFor(clock, "past", { lastUsedMs: startMs - idleTimeoutMs }));
  assert(await store.lock("b", 60_000) !== undefined);
  const names = await connection.command("KEYS", `${redis.prefix}:*`) as string[];
  const prefix = redis.prefix;
  assertEquals(names.toSorted(), [`${prefix}:lock:b`, `${prefix}:session:a`]);
  const left = Number(await connection.command("PTTL", `${prefix}:lock:b`));
  assert(left > 0 && left <= 60_000, `${left} ms`);
  await store.close();

  const forever = { idleTimeoutMs: Infinity, lifetimeMs: Infinity };
  const other = (await openStore(redis, clock, forever)).store;
  await other.save(recordFor(clock, "c"));
  await other.touch("c", startMs + 1);
  assertEquals(await redisExpiry(connection, "c"), startMs + 1e14);
  assertEquals((await other.load("c"))?.lastUsedMs, startMs + 1);
  await other.close();
});

redisTest(
  "redis: of two who want a lock one gets it, and who lost it gives back nothing",
  async (redis) => {
    const clock = new StoreClock();
    const stores = [(await openStore(redis, clock)).store, (await openStore(redis, clock)).store];
    const both = await Promise.all(stores.map((store) => store.lock("a", 60_000)));
    assertEquals(both.filter((release) => release !== undefined).length, 1);
    const release = both.find((release) => release !== undefined)!;
    assertEquals(await stores[0]!.lock("a", 60_000), undefined);
    // As when it has lapsed.
    const connection = await redis.connect();
    await connection.command("DEL", `${redis.prefix}:lock:a`);
    const next = await stores[1]!.lock("a", 60_000);
    assert(next !== undefined);
    await release();
    assertEquals(await stores[0]!.lock("a", 60_000), undefined);
    await next();
    assert(await stores[0]!.lock("a", 0.5) !== undefined);
    for (const store of stores) await store.close();
  },
);

redisTest(
  "redis: while Redis is down there are errors, and afterwards all may have changed",
  async (redis) => {
    const clock = new StoreClock();
    const { store, told, untilTold } = await openStore(redis, clock);
    const unused = await redis.connect();
    await store.save(recordFor(clock, "a"));
    const release = await store.lock("a", 60_000);
    await redis.kill();
    const acts: (() => unknown)[] = [
      () => store.load("a"),
      () => store.save(recordFor(clock, "a")),
      () => store.touch("a", clock.nowMs),
      () => store.delete("a"),
      () => store.update("a", (record) => record),
      () => store.lock("b", 1),
      () => RedisSessionStore.open(clock, STORE_LIMITS, unused),
    ];
    for (const act of acts) {
      const error = await assertRejects(async () => await act(), SessionStoreError);
      assertStringIncludes(error.message, "Sessions in Redis: ");
      assert(/^[^\n]+[^.]\.$/.test(error.message), error.message);
    }
    await release!();
    assertEquals(told, []);
    await redis.restart();
    assertEquals(await untilTold(1), [undefined]);
    // It is a new connection for changes too.
    const other = await openStore(redis, clock);
    await other.store.save(recordFor(clock, "b"));
    assertEquals(await untilTold(2), [undefined, "b"]);
    for (const each of [store, other.store]) await each.close();
  },
  { own: true },
);

redisTest(
  "redis: R96 a record that cannot be read is an error that tells nothing of it",
  async (redis) => {
    const clock = new StoreClock();
    const { store, connection } = await openStore(redis, clock);
    const name = `${redis.prefix}:session:a`;
    for (
      const text of ["canary {", "null", `{"canary":1}`, `{"key":"a","subscriptions":"canary"}`]
    ) {
      await store.save(recordFor(clock, "a"));
      await connection.command("HSET", name, "record", text);
      const error = await assertRejects(() => store.load("a"), SessionStoreError, "not the record");
      assert(!Deno.inspect(error).includes("canary"));
    }
    await connection.command("DEL", name);
    await connection.command("SET", name, "canary");
    const error = await assertRejects(() => store.load("a"), SessionStoreError, "WRONGTYPE");
    assert(!Deno.inspect(error).includes("canary"));
    await store.close();
  },
);
