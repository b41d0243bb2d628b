/**
 * Redis for tests: the one that `SWITCHYARD_TEST_REDIS_URL` names, or `redis-server` from the path, started
 * for each test on a port of its own. Without either the tests are skipped, and say so.
 *
 * @module
 */

import { freePort } from "../../conformance/free_port.ts";
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
  let server: SpawnedServer | undefined = await spawnServer(folder);
  const { port } = server;
  const kill = async () => {
    const ending = server;
    server = undefined;
    await ending?.kill();
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    async restart() {
      await kill();
      server = await spawnServer(folder, port);
    },
    async stop() {
      await kill();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

interface SpawnedServer {
  readonly port: number;
  kill(): Promise<void>;
}

/** How often a server is tried on another port: the free one may have been taken meanwhile. */
const MAX_PORTS = 10;

async function spawnServer(folder: string, fixedPort?: number): Promise<SpawnedServer> {
  for (let tries = 0;; tries++) {
    const port = fixedPort ?? freePort();
    const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder];
    const options = { args, stdin: "null", stdout: "piped", stderr: "null" } as const;
    const process = new Deno.Command(program!, options).spawn();
    const { ready, over } = watch(process.stdout);
    if (await ready) {
      return {
        port,
        async kill() {
          process.kill("SIGKILL");
          await Promise.all([process.status, over]);
        },
      };
    }
    await process.status;
    if (tries >= MAX_PORTS) throw new Error(`redis-server did not start:\n${await over}`);
  }
}

/** Reads the server's log to its end; `ready` tells whether it came to listen, `over` gives its beginning. */
function watch(
  log: ReadableStream<Uint8Array>,
): { ready: Promise<boolean>; over: Promise<string> } {
  const { promise: ready, resolve } = Promise.withResolvers<boolean>();
  const over = (async () => {
    const decoder = new TextDecoder();
    let text = "";
    for await (const piece of log) {
      if (text.length < 16_384) text += decoder.decode(piece, { stream: true });
      if (/ready to accept connections/i.test(text)) resolve(true);
    }
    resolve(false);
    return text;
  })();
  return { ready, over };
}

/** The same connection with something of it replaced. */
export function alteredConnection(
  connection: RedisConnection,
  altered: Partial<RedisConnection>,
): RedisConnection {
  return {
    prefix: connection.prefix,
    command: (...args) => connection.command(...args),
    bytesCommand: (...args) => connection.bytesCommand(...args),
    subscribe: (channel, listener) => connection.subscribe(channel, listener),
    onReconnect: (listener) => connection.onReconnect(listener),
    close: () => connection.close(),
    ...altered,
  };
}
