/**
 * Sessions in memory: gone when the process is.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { LocalLocks } from "./local_locks.ts";
import { keptRecord, type SessionRecord } from "./record.ts";
import {
  closedError,
  expiryMs,
  type SessionStore,
  type SessionStoreLimits,
  SWEEP_RECORDS,
} from "./store.ts";

/**
 * Sessions in memory. Every method answers at once. How many there may be is for its user to see to.
 *
 * Two maps have the records, in the order of use and in that of creation: so those that are too old stand
 * at the front of one of them, and a sweep looks at nothing else. A record whose times are earlier than
 * those before it waits, unseen, until they are too old.
 */
export class MemorySessionStore implements SessionStore {
  readonly #clock: Clock;
  readonly #limits: SessionStoreLimits;
  readonly #byUse = new Map<string, SessionRecord>();
  readonly #createdMs = new Map<string, number>();
  readonly #locks: LocalLocks;
  #closed = false;

  /** An empty store. */
  constructor(clock: Clock, limits: SessionStoreLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#locks = new LocalLocks(clock);
  }

  /** See `SessionStore`. */
  get size(): number {
    return this.#byUse.size;
  }

  /** See `SessionStore`. */
  load(key: string): SessionRecord | undefined {
    if (this.#closed) throw closedError();
    const record = this.#byUse.get(key);
    if (record === undefined || this.#isGone(record, this.#nowMs())) return undefined;
    return record;
  }

  /** See `SessionStore`. */
  save(record: SessionRecord): void {
    if (this.#closed) throw closedError();
    this.#keep(keptRecord(record));
  }

  /** See `SessionStore`. */
  touch(key: string, lastUsedMs: number): void {
    const record = this.load(key);
    if (record === undefined || record.lastUsedMs >= lastUsedMs) return;
    this.#keep(Object.freeze({ ...record, lastUsedMs }));
  }

  /** See `SessionStore`. */
  delete(key: string): boolean {
    const was = this.load(key) !== undefined;
    this.#drop(key);
    return was;
  }

  /** See `SessionStore`. */
  update(
    key: string,
    change: (record: SessionRecord) => SessionRecord | undefined,
  ): SessionRecord | undefined {
    const record = this.load(key);
    const changed = record && change(record);
    if (changed === undefined) return undefined;
    const kept = keptRecord({ ...changed, key });
    this.#keep(kept);
    return kept;
  }

  /** See `SessionStore`. */
  lock(key: string, holdMs: number): (() => void) | undefined {
    if (this.#closed) throw closedError();
    return this.#locks.take(key, holdMs);
  }

  /** See `SessionStore`: there is no other instance. */
  onChange(_listener: (key: string | undefined) => void): void {}

  /** See `SessionStore`. */
  sweep(): void {
    const nowMs = this.#nowMs();
    const { idleTimeoutMs, lifetimeMs } = this.#limits;
    let room = SWEEP_RECORDS;
    for (const [key, { lastUsedMs }] of this.#byUse) {
      if (room === 0 || lastUsedMs + idleTimeoutMs > nowMs) break;
      this.#drop(key);
      room--;
    }
    for (const [key, createdMs] of this.#createdMs) {
      if (room === 0 || createdMs + lifetimeMs > nowMs) break;
      this.#drop(key);
      room--;
    }
    this.#locks.sweep();
  }

  /** See `SessionStore`. */
  close(): void {
    this.#closed = true;
    this.#byUse.clear();
    this.#createdMs.clear();
    this.#locks.clear();
  }

  #keep(record: SessionRecord): void {
    const { key, createdMs } = record;
    this.#byUse.delete(key);
    this.#byUse.set(key, record);
    if (this.#createdMs.get(key) === createdMs) return;
    this.#createdMs.delete(key);
    this.#createdMs.set(key, createdMs);
  }

  #drop(key: string): void {
    this.#byUse.delete(key);
    this.#createdMs.delete(key);
  }

  #isGone(record: SessionRecord, nowMs: number): boolean {
    return expiryMs(record, this.#limits) <= nowMs;
  }

  #nowMs(): number {
    return this.#clock.now().getTime();
  }
}
