/**
 * Locks that all instances behind one Redis share.
 *
 * A lock is a key with expiry that holds who has it. It keeps callers from doing the same work twice and
 * protects no data: who was stopped for longer than it held may still believe to have it.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { RedisConnection } from "../redis/mod.ts";

/** Random bytes in what says who has a lock. */
const TOKEN_BYTES = 16;

/** KEYS: the lock. ARGV: who gives it back. */
const RELEASE = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
  return 1`;

/** Locks in Redis. */
export class RedisLock {
  readonly #clock: Clock;
  readonly #redis: RedisConnection;

  /** Locks behind `redis`. */
  constructor(clock: Clock, redis: RedisConnection) {
    this.#clock = clock;
    this.#redis = redis;
  }

  /**
   * Takes a lock for at most `holdMs`; what gives it back, or undefined where another has it.
   *
   * @throws {RedisError} where Redis fails
   */
  async take(key: string, holdMs: number): Promise<(() => Promise<void>) | undefined> {
    const name = `${this.#redis.prefix}:lock:${key}`;
    const token = this.#clock.randomBytes(TOKEN_BYTES);
    const px = String(Math.max(1, Math.ceil(holdMs)));
    const reply = await this.#redis.command("SET", name, token, "NX", "PX", px);
    if (reply !== "OK") return undefined;
    let released = false;
    return async () => {
      if (released) return;
      released = true;
      // Where it cannot be given back it lapses.
      await this.#redis.command("EVAL", RELEASE, "1", name, token).catch(() => {});
    };
  }
}
