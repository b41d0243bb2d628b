/**
 * Where sessions are kept, behind one interface: memory, a file, Redis.
 *
 * @module
 */

import type { SessionRecord } from "./record.ts";

/** How long records are kept. */
export interface SessionStoreLimits {
  /** A record that was not used for so long is gone, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** A record that was made so long ago is gone, in milliseconds. */
  readonly lifetimeMs: number;
}

/** When a record is gone, in milliseconds since 1970. */
export function expiryMs(
  { createdMs, lastUsedMs }: Pick<SessionRecord, "createdMs" | "lastUsedMs">,
  { idleTimeoutMs, lifetimeMs }: SessionStoreLimits,
): number {
  return Math.min(lastUsedMs + idleTimeoutMs, createdMs + lifetimeMs);
}

/** Most that one `sweep` drops. */
export const SWEEP_RECORDS = 1_000;

/**
 * Records of sessions by their keys.
 *
 * A record is gone from the moment when `lastUsedMs` is `idleTimeoutMs` ago, or `createdMs` `lifetimeMs`, on
 * the wall clock: for every method it is then as if it was not there, and nothing of it stays for ever.
 * Nobody is told that a record has become too old.
 *
 * What a method gives is frozen, what it takes is copied: changing it changes nothing here. Of a record the
 * members of `SessionRecord` are kept and no others. Methods answer at once where they can (memory and a
 * file always do), and throw or reject with a `SessionStoreError` where what is behind them fails, or when
 * the store is closed. Where Redis fails a change may nonetheless have been made.
 */
export interface SessionStore {
  /** The record with this key, with the latest `lastUsedMs` of all instances; undefined for none. */
  load(key: string): SessionRecord | undefined | Promise<SessionRecord | undefined>;
  /** Keeps a record as it is given, in place of the one with its key. */
  save(record: SessionRecord): void | Promise<void>;
  /**
   * Says that the record was used at `lastUsedMs`. Nothing happens where there is none, or where it was used
   * later than that already; and other instances are not told, which see it when they load the record.
   */
  touch(key: string, lastUsedMs: number): void | Promise<void>;
  /** Drops a record; whether there was one. */
  delete(key: string): boolean | Promise<boolean>;
  /**
   * Changes a record as one step that no other change gets in between of, at whatever instance.
   *
   * @param change gives what the record becomes, with the same key; it is called again with the newer record
   * where another change came first, so it does nothing else. What it throws is thrown on, and nothing changes.
   * @returns what it has become; undefined where there is none, or `change` gives undefined to leave it
   */
  update(
    key: string,
    change: (record: SessionRecord) => SessionRecord | undefined,
  ): SessionRecord | undefined | Promise<SessionRecord | undefined>;
  /**
   * Lets one caller at a time in, over all instances, for a key, whether or not there is a record with it;
   * who holds it longer than `holdMs` has lost it.
   *
   * @returns what gives it back, which never fails and may be called again: what has lost the lock meanwhile
   * gives back nothing; undefined where another has it
   */
  lock(
    key: string,
    holdMs: number,
  ): (() => void | Promise<void>) | undefined | Promise<(() => void | Promise<void>) | undefined>;
  /**
   * Has `listener` called when another instance has saved, updated or deleted the record with this key; with
   * undefined when changes may have been missed, of all keys. Never for what this store did itself.
   */
  onChange(listener: (key: string | undefined) => void): void;
  /** Drops what is too old, at most `SWEEP_RECORDS` at a time. */
  sweep(): void | Promise<void>;
  /**
   * How many records there are, with those that are too old and were not dropped yet; undefined where
   * counting them would cost too much.
   */
  readonly size: number | undefined;
  /** Lets go of everything that the process holds; what is kept outside of it stays there. Harmless again. */
  close(): void | Promise<void>;
}

/** A store could not do what it was asked to. */
export class SessionStoreError extends Error {
  /** For the reason in `message`, because of `cause`. */
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "SessionStoreError";
  }
}

/** What a store throws that is closed. */
export function closedError(): SessionStoreError {
  return new SessionStoreError("The session store is closed.");
}
