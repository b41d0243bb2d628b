import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { redisTest, type TestRedis } from "../testing/redis.ts";
import { connectRedis, MAX_PENDING_COMMANDS, type RedisConnection, RedisError } from "./mod.ts";

/** A connection on a clock of the test's own, and what it tells of trouble. */
async function connectByHand(redis: Pick<TestRedis, "url" | "prefix">, timeoutMs = 5_000) {
  const clock = new ManualClock();
  const told: string[] = [];
  let { promise: trouble, resolve } = Promise.withResolvers<void>();
  const onTrouble = ({ message }: RedisError) => {
    told.push(message);
    resolve();
    ({ promise: trouble, resolve } = Promise.withResolvers<void>());
  };
  const { url, prefix } = redis;
  const connection = await connectRedis({ url, prefix, timeoutMs, onTrouble }, clock);
  const untilTold = async (count: number) => {
    while (told.length < count) await trouble;
  };
  return { clock, told, connection, untilTold };
}

/** Waits until commands are taken again; `pass` lets time pass meanwhile. */
async function untilThere(connection: RedisConnection, pass: () => Promise<unknown>) {
  for (;;) {
    try {
      await connection.command("PING");
      return;
    } catch (error) {
      assertStringIncludes(String(error), "is lost, and being made again");
      await pass();
    }
  }
}

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
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = await one.subscribe(`${redis.prefix}:channel`, (message) => {
      heard.push(message);
      resolve();
    });
    await other.command("PUBLISH", `${redis.prefix}:channel`, "first");
    await promise;
    await end();
    await other.command("PUBLISH", `${redis.prefix}:channel`, "second");
    // Its own connection for channels has answered since, so it would have heard.
    await (await one.subscribe(`${redis.prefix}:other`, () => {}))();
    assertEquals(heard, ["first"]);
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
}, { own: true });

redisTest(
  "close() while Redis is down leaves no timer, and no attempt to connect",
  async (redis) => {
    // While it waits to connect again, and while it connects.
    for (const delayMs of [0, 50]) {
      const { clock, connection, untilTold } = await connectByHand(redis);
      await redis.kill();
      await untilTold(2);
      assert(clock.timers > 0);
      clock.advance(delayMs);
      await connection.close();
      assertEquals(clock.timers, 0);
      await connection.close();
      await redis.restart();
    }
    // On the real clock the sanitizers of the test look after it.
    const other = await redis.connect();
    await redis.kill();
    await assertRejects(() => other.command("PING"), RedisError);
    await other.close();
  },
  { own: true },
);

redisTest("a command while Redis is down is refused at once", async (redis) => {
  const { clock, connection, untilTold } = await connectByHand(redis);
  await redis.kill();
  const underWay = assertRejects(() => connection.command("PING"), RedisError);
  await untilTold(2);
  await underWay;
  const timers = clock.timers;
  for (const act of [() => connection.command("PING"), () => connection.subscribe("c", () => {})]) {
    await assertRejects(act, RedisError, "is lost, and being made again");
  }
  assertEquals(clock.timers, timers);
  await connection.close();
  await assertRejects(() => connection.command("PING"), RedisError, "is closed");
}, { own: true });

redisTest("trouble is told once for each reason, and again when it comes back", async (redis) => {
  const { clock, told, connection, untilTold } = await connectByHand(redis);
  /** Starts Redis anew, and waits until both connections are there. */
  const restart = async (delayMs: number) => {
    const { promise: again, resolve } = Promise.withResolvers<void>();
    connection.onReconnect(resolve);
    await redis.restart();
    clock.advance(delayMs);
    await again;
    await untilThere(connection, () => new Deno.Command("true").output());
  };
  await redis.kill();
  await untilTold(2);
  await restart(50);
  // The same reason, but another time; then that nothing is there, twice.
  await redis.kill();
  await untilTold(4);
  clock.advance(50);
  await untilTold(6);
  clock.advance(100);
  await restart(200);
  assertEquals(told.length, 6);
  assertEquals(told.slice(0, 2), told.slice(2, 4));
  for (const sentence of told) {
    assert(/^Redis cannot be reached: .+[^.]\.$/.test(sentence), sentence);
  }
  await connection.close();
}, { own: true });

redisTest(
  "an answer that does not come in time breaks the connection, which is made again",
  async (redis) => {
    const other = await redis.connect();
    const { clock, connection, told } = await connectByHand(redis, 1_000);
    const key = `${redis.prefix}:key`;
    await other.command("CLIENT", "PAUSE", "60000", "WRITE");
    const late = assertRejects(
      () => connection.command("SET", key, "1"),
      RedisError,
      "Redis failed: no answer within 1000 ms.",
    );
    clock.advance(1_000);
    await late;
    assertEquals(told, ["Redis cannot be reached: no answer within 1000 ms."]);
    await other.command("CLIENT", "UNPAUSE");
    clock.advance(50);
    await untilThere(connection, () => other.command("PING"));
    await connection.close();
  },
  { own: true },
);

redisTest("commands that wait for their answers are bounded", async (redis) => {
  const other = await redis.connect();
  const connection = await redis.connect();
  await other.command("CLIENT", "PAUSE", "60000", "WRITE");
  const waiting = Array.from(
    { length: MAX_PENDING_COMMANDS },
    () => connection.command("DEL", `${redis.prefix}:key`),
  );
  await assertRejects(() => connection.command("PING"), RedisError, "Redis is behind");
  await other.command("CLIENT", "UNPAUSE");
  await Promise.all(waiting);
  assertEquals(await connection.command("PING"), "PONG");
}, { own: true });

redisTest(
  "a connection for channels that is silent is found out by its heartbeat",
  async (redis) => {
    const { clock, connection, told, untilTold } = await connectByHand(redis, 1_000);
    const other = await redis.connect();
    const { promise: again, resolve } = Promise.withResolvers<void>();
    connection.onReconnect(resolve);
    // Now nothing at all is answered, as by a machine that has gone.
    await other.command("CLIENT", "PAUSE", "50", "ALL");
    clock.advance(10_000);
    clock.advance(1_000);
    await untilTold(1);
    assertEquals(told, ["Redis cannot be reached: no answer within 1000 ms."]);
    clock.advance(50);
    await again;
    await connection.close();
  },
  { own: true },
);

redisTest(
  "a listener that throws is told of, and harms neither the connection nor another",
  async (redis) => {
    const { connection, told, clock } = await connectByHand(redis);
    const { promise: heard, resolve: hear } = Promise.withResolvers<string>();
    const channel = `${redis.prefix}:channel`;
    await connection.subscribe(channel, () => {
      throw new Error("no use");
    });
    await connection.subscribe(channel, hear);
    await connection.command("PUBLISH", channel, "hello");
    assertEquals(await heard, "hello");
    assertEquals(told, ["A message between instances could not be used: no use."]);
    await connection.close();
    assertEquals(clock.timers, 0);
  },
);

redisTest(
  "R96 no error tells the password of the URL, or what a command was given",
  async (redis) => {
    const admin = await redis.connect();
    await admin.command("ACL", "SETUSER", "canary", "on", ">right", "~*", "+@all");
    const wrong = redis.url.replace("://", "://canary:can%40ry-s3cret@");
    const texts: string[] = [];
    const urls = [
      wrong,
      "redis://canary:can%40ry-s3cret@127.0.0.1:1",
      "redis://:can%40ry-s3cret@127.0.0.1:99999",
      "redis://canary:can@ry-s3cret@127.0.0.1:1/x",
      "rediss://:can%40ry-s3cret@[::1",
      "unix://canary:can%40ry-s3cret@relative",
      "http://canary:can%40ry-s3cret@127.0.0.1:1",
      "redis://canary:can%ry-s3cret@127.0.0.1:1",
    ];
    for (const url of urls) {
      const note = (error: unknown) => texts.push(Deno.inspect(error), String(error));
      const options = { url, prefix: "x", timeoutMs: 2_000, onTrouble: note };
      const error = await assertRejects(() => connectRedis(options), RedisError);
      assert(error.message.startsWith("Redis cannot be reached: "), error.message);
      note(error);
    }
    const unknown = await assertRejects(() => admin.command("NO-SUCH", "canary-argument"));
    texts.push(Deno.inspect(unknown));
    for (const text of texts) assert(!/ry-s3cret|canary-argument/.test(text), text);
    await admin.command("ACL", "DELUSER", "canary");
  },
  { own: true },
);

redisTest("a connection with a user and a password is one", async (redis) => {
  const admin = await redis.connect();
  await admin.command("ACL", "SETUSER", "canary", "on", ">p@ss", "~*", "+@all");
  const url = redis.url.replace("://", "://canary:p%40ss@");
  const { connection } = await connectByHand({ url, prefix: redis.prefix });
  assertEquals(await connection.command("ACL", "WHOAMI"), "canary");
  await connection.close();
}, { own: true });

Deno.test("rediss:// speaks TLS", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const options = {
    url: `rediss://127.0.0.1:${listener.addr.port}`,
    prefix: "x",
    timeoutMs: 5_000,
    onTrouble: () => {},
  };
  const refused = assertRejects(() => connectRedis(options), RedisError, "Redis cannot be reached");
  const sockets = [await listener.accept(), await listener.accept()];
  const first = new Uint8Array(1);
  await sockets[0]!.read(first);
  // A handshake record (RFC 8446 section 5.1).
  assertEquals(first[0], 22);
  for (const socket of sockets) socket.close();
  listener.close();
  await refused;
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
