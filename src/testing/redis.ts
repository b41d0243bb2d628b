/**
 * Redis for tests: the one that `SWITCHYARD_TEST_REDIS_URL` names, or `redis-server` from the path, started
 * for each test on a Unix socket of its own. Without either the tests are skipped, and say so.
 *
 * @module
 */

import { connectRedis, type RedisConnection } from "../redis/mod.ts";

const URL_VARIABLE = "SWITCHYARD_TEST_REDIS_URL";

/** What a test is given. */
export interface TestRedis {
  /** Where Redis is. */
  readonly url: string;
  /** A prefix that no other test uses. */
  readonly prefix: string;
  /** Another connection, closed when the test is over. */
  connect(): Promise<RedisConnection>;
  /** Ends the server at once. In a test that says `own` alone. */
  kill(): Promise<void>;
  /** Ends the server at once where it runs, and starts it anew, empty, at the same place. Likewise. */
  restart(): Promise<void>;
}

const named = Deno.env.get(URL_VARIABLE);
const program = findProgram();

function findProgram(): string | undefined {
  const folders = [
    ...(Deno.env.get("PATH") ?? "").split(":"),
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
  ];
  return folders.map((folder) => `${folder}/redis-server`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** Whether there is a Redis to test with. */
export const hasRedis = named !== undefined || program !== undefined;

/** Registers a test that needs Redis; with `own`, one that the test may end. */
export function redisTest(
  name: string,
  test: (redis: TestRedis) => Promise<void>,
  { own = false } = {},
): void {
  const reason = named !== undefined && own
    ? `the Redis of ${URL_VARIABLE} is not to be ended`
    : `no redis-server on the path, no ${URL_VARIABLE}`;
  const ignore = !hasRedis || (named !== undefined && own);
  const shown = ignore ? `${name} (skipped: ${reason})` : name;
  Deno.test({ name: shown, ignore, fn: () => withRedis(test) });
}

/** Runs `test` with a Redis. */
export async function withRedis(test: (redis: TestRedis) => Promise<void>): Promise<void> {
  const connections: RedisConnection[] = [];
  const prefix = `test-${crypto.randomUUID()}`;
  const server = named === undefined ? await startServer() : undefined;
  const url = named ?? server!.url;
  try {
    await test({
      url,
      prefix,
      async connect() {
        const connection = await connectRedis({
          url,
          prefix,
          timeoutMs: 5_000,
          onTrouble: () => {},
        });
        connections.push(connection);
        return connection;
      },
      kill: () => server?.kill() ?? notOwn(),
      restart: () => server?.restart() ?? notOwn(),
    });
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
    await server?.stop();
  }
}

function notOwn(): Promise<never> {
  return Promise.reject(new Error("This Redis is not the test's."));
}

async function startServer() {
  const folder = await Deno.makeTempDir({ prefix: "switchyard-redis-" });
  const socket = `${folder}/redis.sock`;
  let process: Deno.ChildProcess | undefined = await spawnServer(folder, socket);
  const kill = async () => {
    process?.kill("SIGKILL");
    await process?.status;
    process = undefined;
    await Deno.remove(socket).catch(() => {});
  };
  return {
    url: `unix://${socket}`,
    kill,
    async restart() {
      await kill();
      process = await spawnServer(folder, socket);
    },
    async stop() {
      await kill();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function spawnServer(folder: string, socket: string): Promise<Deno.ChildProcess> {
  const args = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder];
  const process = new Deno.Command(program!, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  })
    .spawn();
  await untilReady(process.stdout);
  return process;
}

/** Reads the server's log up to the line that says that it listens, and throws the rest away. */
async function untilReady(log: ReadableStream<Uint8Array>): Promise<void> {
  const reader = log.pipeThrough(new TextDecoderStream() as never)
    .getReader() as ReadableStreamDefaultReader<string>;
  let text = "";
  while (
    !text.includes("ready to accept connections") && !text.includes("Ready to accept connections")
  ) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`redis-server did not start:\n${text}`);
    text += value;
  }
  (async () => {
    while (!(await reader.read()).done);
  })().catch(() => {});
}
