/**
 * Sessions in Redis or Valkey, which several instances of the proxy share.
 *
 * A session is a hash, with expiry, of the record as JSON, what `touch` changes, and a random version that
 * every change makes anew: `update` writes only over the version it has read. Changes are published in the
 * same script that makes them, so that none is made without being told.
 *
 * When a session is gone is told to Redis as a time of day: the clocks of all machines have to agree as far
 * as timeouts of sessions are to be exact.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { RedisConnection, RedisReply } from "../redis/mod.ts";
import { keptRecord, parseRecord, type SessionRecord } from "./record.ts";
import { RedisLock } from "./redis_lock.ts";
import {
  closedError,
  expiryMs,
  type SessionStore,
  SessionStoreError,
  type SessionStoreLimits,
} from "./store.ts";

/** How often an update is tried again because another instance came first. */
const MAX_UPDATE_TRIES = 100;

/** Random bytes in a version, and in the name of an instance. */
const VERSION_BYTES = 12;

/** Longest limit that is told to Redis, in milliseconds: some 3,000 years, which its numbers can hold. */
const MAX_LIMIT_MS = 1e14;

/**
 * KEYS: the session. ARGV: channel, message, expiry, the version that it must have or "", then fields and
 * values. 1, or the fields as they are where it has another version: an update that came too late is then
 * one step ahead of whoever begins another, so that no instance always comes too late.
 */
const WRITE = `
  if ARGV[4] ~= '' then
    local found = redis.call('HMGET', KEYS[1], 'record', 'used', 'version')
    if found[3] ~= ARGV[4] then return found end
  end
  redis.call('HSET', KEYS[1], unpack(ARGV, 5))
  redis.call('PEXPIREAT', KEYS[1], ARGV[3])
  redis.call('PUBLISH', ARGV[1], ARGV[2])
  return 1`;

/** KEYS: the session. ARGV: the time now, of the use, version, idle timeout, lifetime. */
const TOUCH = `
  local times = redis.call('HMGET', KEYS[1], 'created', 'used')
  local created, used = tonumber(times[1]), tonumber(times[2])
  local now, at = tonumber(ARGV[1]), tonumber(ARGV[2])
  local idle, lifetime = tonumber(ARGV[4]), tonumber(ARGV[5])
  if not created or used >= at or now >= math.min(used + idle, created + lifetime) then return 0 end
  redis.call('HSET', KEYS[1], 'used', ARGV[2], 'version', ARGV[3])
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', math.min(at + idle, created + lifetime)))
  return 1`;

/** KEYS: the session. ARGV: channel, message. Its times; false for none. */
const DELETE = `
  local times = redis.call('HMGET', KEYS[1], 'created', 'used')
  if redis.call('DEL', KEYS[1]) == 0 then return false end
  redis.call('PUBLISH', ARGV[1], ARGV[2])
  return times`;

/** A record, and the version it was read with. */
interface Versioned {
  readonly record: SessionRecord;
  readonly version: string;
}

/** Sessions in Redis. The connection is its user's: `close` leaves it open. */
export class RedisSessionStore implements SessionStore {
  /** See `SessionStore`: they are not counted. */
  readonly size: undefined = undefined;
  readonly #clock: Clock;
  readonly #limits: SessionStoreLimits;
  readonly #redis: RedisConnection;
  readonly #channel: string;
  /** Tells this store's changes from those of others. */
  readonly #instance: string;
  readonly #locks: RedisLock;
  readonly #listeners: ((key: string | undefined) => void)[] = [];
  /** The last update of each key that is under way here: one waits for the other. */
  readonly #updates = new Map<string, Promise<unknown>>();
  #unsubscribe: (() => Promise<void>) | undefined;
  #closed = false;

  private constructor(clock: Clock, limits: SessionStoreLimits, redis: RedisConnection) {
    this.#clock = clock;
    this.#limits = {
      idleTimeoutMs: Math.min(limits.idleTimeoutMs, MAX_LIMIT_MS),
      lifetimeMs: Math.min(limits.lifetimeMs, MAX_LIMIT_MS),
    };
    this.#redis = redis;
    this.#channel = `${redis.prefix}:sessions`;
    this.#instance = this.#random();
    this.#locks = new RedisLock(clock, redis);
  }

  /**
   * A store behind `redis`, which hears of the changes of others from now on.
   *
   * @throws {SessionStoreError} where Redis fails
   */
  static async open(
    clock: Clock,
    limits: SessionStoreLimits,
    redis: RedisConnection,
  ): Promise<RedisSessionStore> {
    const store = new RedisSessionStore(clock, limits, redis);
    redis.onReconnect(() => store.#tell(undefined));
    store.#unsubscribe = await store.#act(() =>
      redis.subscribe(store.#channel, (message) => store.#hear(message))
    );
    return store;
  }

  /** See `SessionStore`. */
  async load(key: string): Promise<SessionRecord | undefined> {
    return (await this.#read(key))?.record;
  }

  /** See `SessionStore`. */
  async save(record: SessionRecord): Promise<void> {
    await this.#write(keptRecord(record), "");
  }

  /** See `SessionStore`. */
  async touch(key: string, lastUsedMs: number): Promise<void> {
    const { idleTimeoutMs, lifetimeMs } = this.#limits;
    const times = [this.#nowMs(), lastUsedMs, this.#random(), idleTimeoutMs, lifetimeMs];
    await this.#run(TOUCH, key, ...times.map(String));
  }

  /** See `SessionStore`. */
  async delete(key: string): Promise<boolean> {
    const times = await this.#run(DELETE, key, this.#channel, this.#message(key));
    if (!Array.isArray(times)) return false;
    const [createdMs, lastUsedMs] = times.map(Number) as [number, number];
    return !this.#isGone({ createdMs, lastUsedMs });
  }

  /** See `SessionStore`. */
  update(
    key: string,
    change: (record: SessionRecord) => SessionRecord | undefined,
  ): Promise<SessionRecord | undefined> {
    // In turn, so that the tries are spent on other instances alone.
    const before = this.#updates.get(key) ?? Promise.resolve();
    const turn = before.then(() => this.#update(key, change));
    const settled = turn.catch(() => {}).then(() => {
      if (this.#updates.get(key) === settled) this.#updates.delete(key);
    });
    this.#updates.set(key, settled);
    return turn;
  }

  /** See `SessionStore`. */
  lock(key: string, holdMs: number): Promise<(() => Promise<void>) | undefined> {
    return this.#act(() => this.#locks.take(key, holdMs));
  }

  /** See `SessionStore`. */
  onChange(listener: (key: string | undefined) => void): void {
    this.#listeners.push(listener);
  }

  /** See `SessionStore`: Redis drops them by itself. */
  sweep(): void {}

  /** See `SessionStore`. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners.length = 0;
    await this.#unsubscribe?.();
  }

  async #update(
    key: string,
    change: (record: SessionRecord) => SessionRecord | undefined,
  ): Promise<SessionRecord | undefined> {
    let found = await this.#read(key);
    for (let tries = 0; tries < MAX_UPDATE_TRIES; tries++) {
      const changed = found && change(found.record);
      if (changed === undefined) return undefined;
      const kept = keptRecord({ ...changed, key });
      const reply = await this.#write(kept, found!.version);
      if (reply === 1) return kept;
      found = this.#found(reply);
    }
    throw new SessionStoreError("A session was changed by others again and again; try later.");
  }

  async #read(key: string): Promise<Versioned | undefined> {
    return this.#found(
      await this.#act(() =>
        this.#redis.command("HMGET", this.#name(key), "record", "used", "version")
      ),
    );
  }

  /** What the fields of a session say. */
  #found(reply: RedisReply): Versioned | undefined {
    const [json, used, version] = reply as readonly RedisReply[];
    if (typeof json !== "string" || typeof version !== "string") return undefined;
    try {
      const record = parseRecord(json, Number(used));
      return this.#isGone(record) ? undefined : { record, version };
    } catch (error) {
      throw failure(error);
    }
  }

  #write(record: SessionRecord, version: string): Promise<RedisReply> {
    const { key, createdMs, lastUsedMs } = record;
    const expiry = Math.ceil(expiryMs(record, this.#limits));
    const fields = {
      record: JSON.stringify(record),
      created: createdMs,
      used: lastUsedMs,
      version: this.#random(),
    };
    const given = Object.entries(fields).flatMap(([name, value]) => [name, String(value)]);
    return this.#run(
      WRITE,
      key,
      this.#channel,
      this.#message(key),
      String(expiry),
      version,
      ...given,
    );
  }

  /** Runs a script on one session. */
  #run(script: string, key: string, ...args: readonly string[]): Promise<RedisReply> {
    return this.#act(() => this.#redis.command("EVAL", script, "1", this.#name(key), ...args));
  }

  async #act<T>(act: () => Promise<T>): Promise<T> {
    if (this.#closed) throw closedError();
    try {
      return await act();
    } catch (error) {
      throw failure(error);
    }
  }

  #hear(message: string): void {
    const space = message.indexOf(" ");
    if (message.slice(0, space) !== this.#instance) this.#tell(message.slice(space + 1));
  }

  #tell(key: string | undefined): void {
    for (const listener of this.#listeners) listener(key);
  }

  #message(key: string): string {
    return `${this.#instance} ${key}`;
  }

  #name(key: string): string {
    return `${this.#redis.prefix}:session:${key}`;
  }

  #isGone(times: Pick<SessionRecord, "createdMs" | "lastUsedMs">): boolean {
    return expiryMs(times, this.#limits) <= this.#nowMs();
  }

  #random(): string {
    const bytes = this.#clock.randomBytes(VERSION_BYTES);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  #nowMs(): number {
    return this.#clock.now().getTime();
  }
}

function failure(error: unknown): SessionStoreError {
  if (error instanceof SessionStoreError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new SessionStoreError(`Sessions in Redis: ${reason.replace(/\.$/, "")}.`, error);
}
