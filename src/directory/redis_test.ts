import { assert, assertEquals, assertRejects } from "@std/assert";
import { type RedisConnection, RedisError } from "../redis/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import {
  DIRECTORY_TTL_MS as TTL_MS,
  directoryTest,
  entry,
  hear,
  mark,
  settled,
  Tap,
  until,
} from "../testing/directory.ts";
import { BATCH_COMMANDS } from "./holdings.ts";
import { PRESENCE_RENEWAL_MS, PRESENCE_TTL_MS } from "./presence.ts";
import { RedisStreamDirectory } from "./mod.ts";

directoryTest("instances see each other and each other's streams", async ({ join }) => {
  const [one, other] = [await join(), await join()];
  await one.directory.open(entry("a"));
  await other.directory.open(entry("b"));
  await other.directory.mark("b", mark(3));
  for (const { directory } of [one, other]) {
    assertEquals((await directory.find("s", "a"))?.owner, one.directory.instance);
    assertEquals(await directory.find("s", "b"), {
      entry: entry("b"),
      mark: mark(3),
      owner: other.directory.instance,
    });
    assertEquals((await directory.subscriptions("s")).length, 2);
    assert(await directory.isAlive(one.directory.instance));
    assert(await directory.isAlive(other.directory.instance));
  }
});

directoryTest(
  "a stream is taken over by exactly one of those that try at once",
  async ({ join }) => {
    const holder = await join();
    const others = [await join(), await join(), await join()];
    for (let round = 0; round < 50; round++) {
      const name = `stream-${round}`;
      await holder.directory.open(entry(name));
      const from = round % 2 === 0 ? holder.directory.instance : "";
      if (from === "") await holder.directory.release(name);
      const won = await Promise.all(others.map(({ directory }) => directory.takeOver(name, from)));
      assertEquals(won.filter((each) => each).length, 1);
      const owner = (await holder.directory.find("s", name))?.owner;
      assertEquals(owner, others[won.indexOf(true)]!.directory.instance);
    }
  },
);

directoryTest(
  "who has lost a stream changes nothing of it any more",
  async ({ join, leftMs, expire }) => {
    const [old, taker] = [await join(), await join()];
    await old.directory.open(entry("a"));
    await old.directory.mark("a", mark(1));
    assert(await taker.directory.takeOver("a", old.directory.instance));
    await taker.directory.mark("a", mark(2));
    await old.directory.mark("a", mark(9));
    await expire("stream:a", 1_000);
    old.clock.advance(TTL_MS / 3);
    await settled(old);
    assert(await leftMs("stream:a") <= 1_000);
    old.tap.sent.length = 0;
    old.clock.advance(TTL_MS);
    assertEquals(old.tap.sent.filter(([name]) => name === "EVAL"), []);
    await old.directory.release("a");
    await old.directory.close(entry("a"));
    const found = await old.directory.find("s", "a");
    assertEquals([found?.mark, found?.owner], [mark(2), taker.directory.instance]);
    assertEquals((await old.directory.subscriptions("s")).length, 1);
  },
);

directoryTest("who has lost a stream does not bring it back once it was closed", async (bench) => {
  const { join, leftMs } = bench;
  const [old, taker] = [await join(), await join()];
  await old.directory.open(entry("a"));
  assert(await taker.directory.takeOver("a", old.directory.instance));
  await taker.directory.close(entry("a"));
  old.clock.advance(TTL_MS / 3);
  await settled(old);
  for (const owner of ["", old.directory.instance, taker.directory.instance]) {
    assertEquals(await taker.directory.takeOver("a", owner), false);
  }
  assertEquals(await taker.directory.find("s", "a"), undefined);
  assertEquals(await taker.directory.subscriptions("s"), []);
  const left = await leftMs("stream:a");
  assert(left > 0 && left <= TTL_MS, `${left}`);
});

directoryTest(
  "mark() tells a holder whose stream was taken over, and one whose stream Redis lost not",
  async (bench) => {
    const [old, taker] = [await bench.join(), await bench.join()];
    for (const name of ["a", "b", "c"]) await old.directory.open(entry(name));
    assertEquals(await old.directory.mark("a", mark(1)), true);
    assert(await taker.directory.takeOver("a", old.directory.instance));
    assert(await taker.directory.takeOver("b", old.directory.instance));
    await taker.directory.close(entry("b"));
    await bench.look.command("DEL", `${bench.redis.prefix}:stream:c`);
    for (const name of ["a", "b"]) assertEquals(await old.directory.mark(name, mark(2)), false);
    assertEquals(await old.directory.mark("c", mark(2)), true);
    assertEquals((await taker.directory.find("s", "a"))?.mark, mark(1));
    assertEquals(await taker.directory.mark("a", mark(2)), true);
  },
);

directoryTest("mark() is one command, sent before it returns", async ({ join }) => {
  const { directory, tap } = await join();
  await directory.open(entry("a"));
  tap.sent.length = 0;
  const first = directory.mark("a", mark(1));
  assertEquals(tap.sent.map(([name]) => name), ["EVAL"]);
  const append = tap.connection.command("PING");
  const second = directory.mark("a", mark(2));
  assertEquals(tap.sent.map(([name]) => name), ["EVAL", "PING", "EVAL"]);
  await Promise.all([first, append, second]);
  assertEquals(tap.sent.length, 3);
  // Of a stream that this instance does not hold there is nothing to send.
  await directory.mark("none", mark(1));
  assertEquals(tap.sent.length, 3);
  await directory.release("a");
  await directory.mark("a", mark(3));
  assertEquals(tap.sent.length, 4);
});

directoryTest(
  "R82 what is kept lapses unless its holder renews it",
  async ({ join, leftMs, expire }) => {
    const instance = await join();
    const { directory, clock } = instance;
    await directory.open(entry("a"));
    await directory.open(entry("post", { requestIds: ["1"], session: "t" }));
    await directory.open(entry("released"));
    await directory.release("released");
    const keys = ["stream:a", "stream:post", "session-streams:s", "stream:released"];
    for (const key of keys) {
      const left = await leftMs(key);
      assert(left > TTL_MS - 10_000 && left <= TTL_MS, `${key}: ${left}`);
      await expire(key, 10_000);
    }
    assertEquals(await leftMs("session-streams:t"), -2);
    clock.advance(TTL_MS / 3 - 1);
    await settled(instance);
    for (const key of keys) assert(await leftMs(key) <= 10_000, key);
    clock.advance(1);
    await settled(instance);
    for (const key of keys.slice(0, 3)) assert(await leftMs(key) > 40_000, key);
    assert(await leftMs("stream:released") <= 10_000);
    await expire("stream:a", 10_000);
    clock.advance(TTL_MS / 3);
    await settled(instance);
    assert(await leftMs("stream:a") > 40_000);
  },
);

directoryTest(
  "a stream that is taken over is kept from then on, and so is its set",
  async (bench) => {
    const { join, leftMs, expire, look, redis } = bench;
    const [old, taker] = [await join(), await join()];
    await old.directory.open(entry("a"));
    await expire("stream:a", 10_000);
    await look.command("DEL", `${redis.prefix}:session-streams:s`);
    assert(await taker.directory.takeOver("a", old.directory.instance));
    assert(await leftMs("stream:a") > 40_000);
    assert(await leftMs("session-streams:s") > 40_000);
    assertEquals((await taker.directory.subscriptions("s")).length, 1);
    await expire("stream:a", 10_000);
    taker.clock.advance(TTL_MS / 3);
    await settled(taker);
    assert(await leftMs("stream:a") > 40_000);
    await old.directory.open(entry("post", { requestIds: ["1"] }));
    await expire("stream:post", 10_000);
    assert(await taker.directory.takeOver("post", old.directory.instance));
    assert(await leftMs("stream:post") > 40_000);
  },
);

directoryTest(
  "renewing and releasing have a bounded number of commands under way",
  async (bench) => {
    const { join, leftMs, expire } = bench;
    const instance = await join();
    const { directory, clock, tap } = instance;
    const count = 2 * BATCH_COMMANDS + 1;
    const streams = Array.from({ length: count }, (_, at) => `stream-${at}`);
    await Promise.all(streams.map((name) => directory.open(entry(name, { requestIds: ["1"] }))));
    for (const name of streams) await expire(`stream:${name}`, 10_000);
    tap.mostPending = 0;
    clock.advance(TTL_MS / 3);
    // Another pass does not begin beside the first.
    clock.advance(TTL_MS / 3);
    await until(() => tap.pending === 0);
    assert(tap.mostPending <= BATCH_COMMANDS + 50, `${tap.mostPending}`);
    for (const name of streams) assert(await leftMs(`stream:${name}`) > 40_000, name);
    [tap.mostPending, tap.sent.length] = [0, 0];
    await directory.shutdown();
    assert(tap.mostPending <= BATCH_COMMANDS, `${tap.mostPending}`);
    assertEquals(tap.sent.length, count + 1);
    const other = await join();
    const owners = await Promise.all(streams.map((name) => other.directory.find("s", name)));
    assert(owners.every((found) => found?.owner === ""));
  },
);

directoryTest(
  "subscriptions() drops the names of streams that are gone",
  async ({ join, look, redis }) => {
    const { directory } = await join();
    for (const name of ["a", "b", "c"]) await directory.open(entry(name));
    await look.command("DEL", `${redis.prefix}:stream:b`);
    const set = `${redis.prefix}:session-streams:s`;
    assertEquals((await directory.subscriptions("s")).length, 2);
    assertEquals((await look.command("SMEMBERS", set) as string[]).toSorted(), ["a", "c"]);
    await directory.close(entry("a"));
    await directory.close(entry("c"));
    assertEquals(await look.command("EXISTS", set), 0);
  },
);

directoryTest(
  "what another version may have written is not found",
  async ({ join, look, redis }) => {
    const { directory } = await join();
    const broken = ["a", "b", "c"];
    for (const name of broken) await directory.open(entry(name));
    const key = (name: string) => `${redis.prefix}:stream:${name}`;
    await look.command("HSET", key("a"), "mark", "{");
    await look.command("HSET", key("b"), "requestIds", "[1]");
    await look.command("HDEL", key("c"), "clientPolls");
    for (const name of broken) assertEquals(await directory.find("s", name), undefined);
    assertEquals(await directory.takeOver("a", directory.instance), false);
  },
);

directoryTest("an instance is there until it is shut down", async ({ join, leftMs }) => {
  const [one, other] = [await join(), await join()];
  const key = `instance:${one.directory.instance}`;
  assert(await leftMs(key) > 0);
  await one.directory.shutdown();
  assertEquals(await leftMs(key), -2);
  assertEquals(await other.directory.isAlive(one.directory.instance), false);
  one.clock.advance(100_000);
  await settled(one);
  assertEquals(await leftMs(key), -2);
});

directoryTest("an instance that is shut down while it comes back is not there", async (bench) => {
  const instance = await bench.join();
  const key = `instance:${instance.directory.instance}`;
  await bench.look.command("DEL", `${bench.redis.prefix}:${key}`);
  instance.clock.advance(PRESENCE_RENEWAL_MS);
  await instance.directory.shutdown();
  await settled(instance);
  assertEquals(await bench.leftMs(key), -2);
});

directoryTest(
  "an instance that dies is there for six seconds at most",
  async ({ join, leftMs, expire }) => {
    const instance = await join();
    const { directory, clock } = instance;
    const key = `instance:${directory.instance}`;
    const left = await leftMs(key);
    assert(left > 0 && left <= PRESENCE_TTL_MS && PRESENCE_TTL_MS === 6_000, `${left}`);
    await expire(key, 1_000);
    clock.advance(PRESENCE_RENEWAL_MS - 1);
    await settled(instance);
    assert(await leftMs(key) <= 1_000);
    for (let renewals = 0; renewals < 3; renewals++) {
      clock.advance(renewals === 0 ? 1 : PRESENCE_RENEWAL_MS);
      await settled(instance);
      const left = await leftMs(key);
      assert(left > 1_000 && left <= 6_000, `${left}`);
      await expire(key, 1_000);
    }
  },
);

directoryTest(
  "a presence and streams that Redis has lost come back at the next renewal",
  async (bench) => {
    const { join, look, redis, leftMs } = bench;
    const [instance, other] = [await join(), await join()];
    const { directory, clock, troubles } = instance;
    const names = ["a", "b", "closed", "taken"];
    for (const name of names) await directory.open(entry(name));
    await directory.mark("a", mark(1));
    const keys = await look.command("KEYS", `${redis.prefix}:*`) as string[];
    await look.command("DEL", ...keys);
    await directory.mark("a", mark(2));
    assertEquals(await directory.find("s", "a"), undefined);
    await directory.close(entry("closed"));
    assertEquals(await other.directory.takeOver("taken", directory.instance), false);
    assertEquals(await other.directory.isAlive(directory.instance), false);
    clock.advance(PRESENCE_RENEWAL_MS);
    await settled(instance);
    assert(await other.directory.isAlive(directory.instance));
    assertEquals(await other.directory.find("s", "a"), {
      entry: entry("a"),
      mark: mark(2),
      owner: directory.instance,
    });
    assertEquals((await other.directory.subscriptions("s")).length, 3);
    assert(await leftMs("stream:b") > 0);
    assertEquals(await leftMs("stream:closed"), -2);
    assertEquals(troubles, []);
  },
);

directoryTest(
  "what fails is an error to who asked, and is told once otherwise",
  async ({ join }) => {
    const instance = await join();
    const { directory, clock, tap, troubles } = instance;
    tap.refuse = () => true;
    await assertRejects(() => directory.open(entry("a")), RedisError);
    await assertRejects(() => directory.mark("a", mark(4)), RedisError);
    await assertRejects(() => directory.find("s", "a"), RedisError);
    await assertRejects(() => directory.subscriptions("s"), RedisError);
    await assertRejects(() => directory.isAlive("x"), RedisError);
    await assertRejects(() => directory.takeOver("b", ""), RedisError);
    await assertRejects(() => directory.close(entry("b")), RedisError);
    await assertRejects(() => directory.release("b"), RedisError);
    assertEquals(troubles, []);
    for (let count = 0; count < 100; count++) {
      directory.peers.send("x", "a", { follower: 1, say: "more", upTo: count });
    }
    clock.advance(TTL_MS);
    tap.refuse = () => false;
    await settled(instance);
    // One each for messages, the presence, and the streams.
    assertEquals(troubles.length, 3);
    // The stream whose beginning failed is there with the presence.
    clock.advance(PRESENCE_RENEWAL_MS);
    await settled(instance);
    assertEquals((await directory.find("s", "a"))?.mark, mark(4));
    tap.refuse = () => true;
    // It is told again when it comes again.
    clock.advance(PRESENCE_RENEWAL_MS);
    tap.refuse = () => false;
    await settled(instance);
    assertEquals(troubles.length, 4);
    tap.refuse = () => true;
    await directory.shutdown();
    assertEquals(troubles.length, 5);
    assertEquals(clock.timers, 0);
  },
);

directoryTest("join() that fails leaves nothing behind", async ({ redis }) => {
  const tap = new Tap(await redis.connect());
  const clock = new ManualClock();
  let subscriptions = 0;
  const counting: RedisConnection = {
    ...tap.connection,
    async subscribe(channel, listener) {
      const end = await tap.connection.subscribe(channel, listener);
      subscriptions++;
      return async () => {
        subscriptions--;
        await end();
      };
    },
  };
  tap.refuse = (command) => command === "SET";
  const options = { redis: counting, clock, ttlMs: TTL_MS, onTrouble: () => {} };
  await assertRejects(() => RedisStreamDirectory.join(options), RedisError);
  assertEquals([clock.timers, subscriptions], [0, 0]);
  tap.refuse = () => false;
  const directory = await RedisStreamDirectory.join(options);
  assertEquals([clock.timers, subscriptions], [2, 1]);
  await directory.shutdown();
  assertEquals([clock.timers, subscriptions], [0, 0]);
});

directoryTest("a stream that is taken over while everything ends is not kept", async ({ join }) => {
  const [old, taker] = [await join(), await join()];
  await old.directory.open(entry("a"));
  const taking = taker.directory.takeOver("a", old.directory.instance);
  await taker.directory.shutdown();
  assertEquals(await taking, false);
  assertEquals(await old.directory.isAlive((await old.directory.find("s", "a"))!.owner), false);
});

directoryTest("Redis may be restarted: presence, streams and messages come back", async (bench) => {
  const { join, redis, look } = bench;
  const [one, other] = [await join(), await join()];
  const both = [one, other];
  await one.directory.open(entry("a"));
  await one.directory.mark("a", mark(7));
  const reconnected = both.map(({ tap }) =>
    new Promise<void>((resolve) => tap.connection.onReconnect(resolve))
  );
  await redis.restart();
  // Some of these fail and some may not, as the connections come back.
  const failing = Promise.allSettled([
    one.directory.mark("a", mark(8)),
    one.directory.find("s", "a"),
  ]);
  one.directory.peers.send(other.directory.instance, "a", { follower: 1, say: "refused" });
  for (const { clock } of both) clock.advance(PRESENCE_RENEWAL_MS);
  await failing;
  await Promise.all(reconnected);
  for (const connection of [look, one.tap.connection, other.tap.connection]) {
    await until(() => connection.command("PING").then(() => true, () => false));
  }
  for (const { clock } of both) clock.advance(PRESENCE_RENEWAL_MS);
  for (const instance of both) await settled(instance);
  assert(await one.directory.isAlive(other.directory.instance));
  assert(await other.directory.isAlive(one.directory.instance));
  assertEquals((await other.directory.find("s", "a"))?.mark, mark(8));
  const hearing = hear(other, 1);
  one.directory.peers.send(other.directory.instance, "a", { follower: 1, say: "more", upTo: 1 });
  assertEquals((await hearing).length, 1);
});
