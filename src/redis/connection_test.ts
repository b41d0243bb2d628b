import { assertEquals, assertRejects } from "@std/assert";
import { connectRedis, RedisError } from "./mod.ts";
import { redisTest } from "../testing/mod.ts";

redisTest("command() sends text and bytes, and gives either back", async (redis) => {
  const connection = await redis.connect();
  const key = `${redis.prefix}:key`;
  const bytes = Uint8Array.of(0, 255, 13, 10);
  assertEquals(await connection.command("SET", key, bytes, "PX", "60000"), "OK");
  assertEquals(new Uint8Array(await connection.bytesCommand("GET", key) as Uint8Array), bytes);
  assertEquals(await connection.command("GET", `${redis.prefix}:none`), null);
  await assertRejects(() => connection.command("NO-SUCH-COMMAND"), RedisError, "unknown command");
});

redisTest(
  "subscribe() hears what another connection publishes, until it is ended",
  async (redis) => {
    const [one, other] = [await redis.connect(), await redis.connect()];
    const heard: string[] = [];
    let { promise, resolve } = Promise.withResolvers<void>();
    const end = await one.subscribe(`${redis.prefix}:channel`, (message) => {
      heard.push(message);
      resolve();
    });
    await other.command("PUBLISH", `${redis.prefix}:channel`, "first");
    await promise;
    await end();
    await other.command("PUBLISH", `${redis.prefix}:channel`, "second");
    assertEquals(heard, ["first"]);
    ({ promise, resolve } = Promise.withResolvers<void>());
  },
);

redisTest("a connection that broke is made again, and its channels with it", async (redis) => {
  const connection = await redis.connect();
  const { promise: heard, resolve: hear } = Promise.withResolvers<string>();
  await connection.subscribe(`${redis.prefix}:channel`, hear);
  const { promise: again, resolve } = Promise.withResolvers<void>();
  connection.onReconnect(resolve);
  await redis.restart();
  await again;
  const other = await redis.connect();
  await other.command("PUBLISH", `${redis.prefix}:channel`, "hello");
  assertEquals(await heard, "hello");
});

Deno.test("connectRedis() says that nothing is there", async () => {
  const options = {
    url: "redis://127.0.0.1:1",
    prefix: "x",
    timeoutMs: 2_000,
    onTrouble: () => {},
  };
  await assertRejects(() => connectRedis(options), RedisError, "Redis cannot be reached");
});
