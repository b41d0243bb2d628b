import { assertEquals, assertRejects } from "@std/assert";
import { Tap, until } from "../testing/directory.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { redisTest, type TestRedis } from "../testing/redis.ts";
import { PRESENCE_RENEWAL_MS, PRESENCE_TTL_MS } from "./presence.ts";
import { RedisMessages } from "./redis_messages.ts";

async function join(redis: TestRedis, clock: ManualClock) {
  const tap = new Tap(await redis.connect());
  const onTrouble = () => {};
  return { tap, messages: await RedisMessages.join({ redis: tap.connection, clock, onTrouble }) };
}

redisTest("redis: texts between instances arrive in order, at whom they are for", async (redis) => {
  const clock = new ManualClock();
  const [one, other, aside] = [
    await join(redis, clock),
    await join(redis, clock),
    await join(redis, clock),
  ];
  const heard: string[] = [];
  other.messages.listen((text) => heard.push(text));
  aside.messages.listen(() => {
    throw new Error("This was for another instance.");
  });
  const texts = Array.from({ length: 500 }, (_, at) => `${at}`.repeat(at % 7 + 1));
  const sent = texts.map((text) => one.messages.send(other.messages.instance, text));
  assertEquals(new Set(await Promise.all(sent)), new Set([true]));
  await until(() => heard.length === texts.length);
  assertEquals(heard, texts);
  for (const { messages } of [one, other, aside]) await messages.shutdown();
  assertEquals(clock.timers, 0);
});

redisTest(
  "redis: it is known of a text that nobody has heard it, and of an instance that it has gone",
  async (redis) => {
    const clock = new ManualClock();
    const [one, stopping, killed] = [
      await join(redis, clock),
      await join(redis, clock),
      await join(redis, clock),
    ];
    const [stopped, dead] = [stopping.messages.instance, killed.messages.instance];
    assertEquals(await one.messages.isAlive(stopped), true);
    await stopping.messages.shutdown();
    assertEquals(await one.messages.send(stopped, "x"), false);
    assertEquals(await one.messages.isAlive(stopped), false);
    assertEquals(await one.messages.send("nobody", "x"), false);
    // One that was killed is deaf at once, and taken to run until its sign has lapsed.
    await killed.tap.connection.close();
    await until(async () => !await one.messages.send(dead, "x"));
    assertEquals(await one.messages.isAlive(dead), true);
    const look = await redis.connect();
    const key = `${redis.prefix}:instance:${dead}`;
    const leftMs = Number(await look.command("PTTL", key));
    assertEquals(leftMs > 0 && leftMs <= PRESENCE_TTL_MS, true);
    // It renews the sign while it runs.
    await look.command("PEXPIRE", `${redis.prefix}:instance:${one.messages.instance}`, "2000");
    clock.advance(PRESENCE_RENEWAL_MS);
    await until(async () =>
      Number(await look.command("PTTL", `${redis.prefix}:instance:${one.messages.instance}`)) >
        2_000
    );
    one.tap.refuse = () => true;
    await assertRejects(() => one.messages.send(dead, "x"));
    await assertRejects(() => one.messages.isAlive(dead));
    await one.messages.shutdown();
    await killed.messages.shutdown();
    assertEquals(clock.timers, 0);
  },
);
