/**
 * The traces of streams in Redis, and the commands on them.
 *
 * A stream is a hash. Who has a session and no event id looks for the streams on which the server speaks
 * first in a set of the session; those that answer requests are not in it, being asked for by name alone.
 *
 * Each change is one script, sent at once when a method is called, so that changes happen in the order of
 * the calls. They are sent as text each time: by their digest they would have to be sent a second time
 * after Redis forgot them, and overtaken meanwhile. What that costs is not to be seen (Redis 7.0: 2.2 us
 * of its time for `mark` either way).
 *
 * @module
 */

import type { RedisConnection, RedisReply } from "../redis/mod.ts";
import type { FoundStream, StreamEntry } from "../relay/mod.ts";
import { foundStream, type KeptStream, MAX_SUBSCRIPTIONS } from "./kept.ts";

/** KEYS: the stream, and its set where it has one. ARGV: TTL, name, then the fields. */
const OPEN = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
if KEYS[2] then
  redis.call('SADD', KEYS[2], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
return 1`;

/** KEYS: the stream. ARGV: instance, mark. Gives 0 for one that is another's. */
const MARK = `
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return 0 end
if owner then redis.call('HSET', KEYS[1], 'mark', ARGV[2]) end
return 1`;

/** KEYS: the stream, and its set where it has one. ARGV: instance, TTL, name. */
const RENEW = `
local owner = redis.call('HGET', KEYS[1], 'owner')
if not owner then return 'gone' end
if owner ~= ARGV[1] then return 'lost' end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if KEYS[2] then
  redis.call('SADD', KEYS[2], ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return 'held'`;

/** KEYS: the stream. ARGV: instance, the owner that it is taken from, TTL, then the names of its fields. */
const TAKE_OVER = `
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[2] then return false end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'taken', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('HMGET', KEYS[1], unpack(ARGV, 4))`;

/** KEYS: the stream. ARGV: instance. */
const RELEASE = `
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('HSET', KEYS[1], 'owner', '') end
return 1`;

/**
 * KEYS: the stream, and its set where it has one. ARGV: instance, name, TTL. Of a stream that was taken over
 * a trace without an owner stays for a while: who held it before, and does not know yet, would take it for
 * one that Redis has lost, and bring it back.
 */
const CLOSE = `
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
local taken = redis.call('HEXISTS', KEYS[1], 'taken')
redis.call('DEL', KEYS[1])
if taken == 1 then
  redis.call('HSET', KEYS[1], 'owner', '-')
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
if KEYS[2] then redis.call('SREM', KEYS[2], ARGV[2]) end
return 1`;

const FIELDS = [
  "session",
  "requestIds",
  "clientPolls",
  "owner",
  "mark",
] as const satisfies readonly (keyof KeptStream)[];

/** The traces of streams in Redis. Every method sends its command at once; all reject with a `RedisError`. */
export class RedisStreams {
  readonly #redis: RedisConnection;
  readonly #instance: string;
  readonly #ttl: string;

  /** What `instance` keeps, for `ttlMs` after each renewal. */
  constructor(redis: RedisConnection, instance: string, ttlMs: number) {
    this.#redis = redis;
    this.#instance = instance;
    this.#ttl = String(Math.max(1, Math.ceil(ttlMs)));
  }

  /** Keeps a stream that is not there. */
  async open(entry: StreamEntry, kept: KeptStream): Promise<void> {
    const fields = FIELDS.flatMap((field) => [field, kept[field]]);
    await this.#run(OPEN, this.#keys(entry), this.#ttl, entry.name, ...fields);
  }

  /** Writes a mark; false where the stream is another instance's. Nothing happens where it is gone. */
  async mark(name: string, mark: string): Promise<boolean> {
    return await this.#run(MARK, [this.#stream(name)], this.#instance, mark) === 1;
  }

  /** Keeps a stream for longer: it is held by this instance, or lost to another one, or gone. */
  async renew(entry: StreamEntry): Promise<"held" | "lost" | "gone"> {
    const { name } = entry;
    const reply = await this.#run(RENEW, this.#keys(entry), this.#instance, this.#ttl, name);
    return reply as "held" | "lost" | "gone";
  }

  /** Makes a stream of `owner` this instance's; the stream, where that worked. */
  async takeOver(name: string, owner: string): Promise<FoundStream | undefined> {
    const args = [this.#instance, owner, this.#ttl, ...FIELDS];
    return found(name, await this.#run(TAKE_OVER, [this.#stream(name)], ...args));
  }

  /** Makes a stream of this instance nobody's. */
  async release(name: string): Promise<void> {
    await this.#run(RELEASE, [this.#stream(name)], this.#instance);
  }

  /** Drops a stream of this instance. */
  async close(entry: StreamEntry): Promise<void> {
    await this.#run(CLOSE, this.#keys(entry), this.#instance, entry.name, this.#ttl);
  }

  /** The stream with this name. */
  async read(name: string): Promise<FoundStream | undefined> {
    return found(name, await this.#redis.command("HMGET", this.#stream(name), ...FIELDS));
  }

  /** Some names of the streams of a session on which the server speaks first, and of some that are gone. */
  async names(session: string): Promise<readonly string[]> {
    const count = String(MAX_SUBSCRIPTIONS);
    return await this.#redis.command("SRANDMEMBER", this.#set(session), count) as string[];
  }

  /** Drops names of streams that are gone. */
  async dropNames(session: string, names: readonly string[]): Promise<void> {
    await this.#redis.command("SREM", this.#set(session), ...names);
  }

  #run(script: string, keys: readonly string[], ...args: readonly string[]): Promise<RedisReply> {
    return this.#redis.command("EVAL", script, String(keys.length), ...keys, ...args);
  }

  #keys({ name, session, requestIds }: StreamEntry): readonly string[] {
    const stream = this.#stream(name);
    return requestIds.length === 0 ? [stream, this.#set(session)] : [stream];
  }

  #stream(name: string): string {
    return `${this.#redis.prefix}:stream:${name}`;
  }

  #set(session: string): string {
    return `${this.#redis.prefix}:session-streams:${session}`;
  }
}

/** The stream of the values of `FIELDS`. */
function found(name: string, values: RedisReply): FoundStream | undefined {
  if (!Array.isArray(values) || !values.every((value) => typeof value === "string")) {
    return undefined;
  }
  const fields = Object.fromEntries(FIELDS.map((field, at) => [field, values[at]]));
  return foundStream(name, fields as unknown as KeptStream);
}
