/**
 * Several instances of the proxy with one Redis, as processes of their own.
 *
 * @module
 */

import { assert } from "@std/assert";
import { startProgram } from "./program.ts";
import type { TestRedis } from "./redis.ts";

const KEY = "the-same-key-at-every-instance-0123456789";

/** One of them. */
export interface ProgramInstance {
  /** Where it listens. */
  readonly origin: string;
  /** Ends it at once, without a word. */
  kill(): Promise<void>;
}

/** Starts two proxies in front of one server, and ends what is left of them behind the test. */
export async function withProgramInstances(
  redis: TestRedis,
  upstream: Readonly<Record<string, unknown>>,
  test: (a: ProgramInstance, b: ProgramInstance) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/switchyard.json`;
  await Deno.writeTextFile(file, JSON.stringify(configFor(upstream, redis)));
  const env = { SWITCHYARD_REDIS_URL: redis.url, SWITCHYARD_SESSION_KEYS: KEY };
  const start = () => startProgram(["serve", "--config", file], ["-P", "--allow-write"], env);
  const programs = [start(), start()];
  try {
    const [a, b] = await Promise.all(programs.map(async (program) => {
      const line = await program.first;
      if (!line.startsWith("listening ")) throw new Error((await program.end()).err);
      return {
        origin: new URL(line.slice("listening ".length)).origin,
        async kill() {
          program.child.kill("SIGKILL");
          await program.child.status;
        },
      };
    }));
    await test(a!, b!);
  } finally {
    const ends = programs.map(async (program) => {
      try {
        program.child.kill("SIGTERM");
      } catch {
        // It was killed by the test.
      }
      return (await program.end()).err;
    });
    const logs = await Promise.all(ends);
    await Deno.remove(folder, { recursive: true });
    for (const log of logs) assert(!log.includes('"level":"error"'), log);
  }
}

function configFor(
  upstream: Readonly<Record<string, unknown>>,
  redis: TestRedis,
): Record<string, unknown> {
  return {
    listen: "127.0.0.1:0",
    drainTimeoutMs: 0,
    redis: { url: redis.url, prefix: redis.prefix },
    sessions: { store: "redis" },
    eventLog: { store: "redis" },
    routes: [{
      path: "/mcp",
      upstream: { ...upstream, reconnect: { attempts: 8, initialDelayMs: 1, maxDelayMs: 50 } },
    }],
  };
}
