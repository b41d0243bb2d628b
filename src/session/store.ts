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

/**
 * Records of sessions by their keys. A record is gone when `lastUsedMs` is `idleTimeoutMs` ago, or
 * `createdMs` `lifetimeMs`: `load` does not give it any more, and nothing of it stays for ever.
 *
 * What a method gives and takes is frozen or copied: changing it changes nothing here. Methods answer at
 * once where they can, and throw or reject with a `SessionStoreError` where what is behind them fails.
 */
export interface SessionStore {
  /** The record with this key; undefined for none. */
  load(key: string): SessionRecord | undefined | Promise<SessionRecord | undefined>;
  /** Keeps a record, in place of the one with its key. */
  save(record: SessionRecord): void | Promise<void>;
  /** Says that the record was used at `lastUsedMs`; nothing happens where there is none. */
  touch(key: string, lastUsedMs: number): void | Promise<void>;
  /** Drops a record; whether there was one. */
  delete(key: string): boolean | Promise<boolean>;
  /**
   * Changes a record as one step that no other change gets in between of, at whatever instance.
   *
   * @returns what it has become; undefined where there is none, or `change` gives undefined to leave it
   */
  update(
    key: string,
    change: (record: SessionRecord) => SessionRecord | undefined,
  ): SessionRecord | undefined | Promise<SessionRecord | undefined>;
  /**
   * Lets one caller at a time in, over all instances, for a key; who holds it longer than `holdMs` has lost
   * it.
   *
   * @returns what gives it back, once; undefined where another has it
   */
  lock(
    key: string,
    holdMs: number,
  ): (() => void | Promise<void>) | undefined | Promise<(() => void | Promise<void>) | undefined>;
  /**
   * Has `listener` called when another instance has changed or dropped the record with this key; with
   * undefined when changes may have been missed, of all keys.
   */
  onChange(listener: (key: string | undefined) => void): void;
  /** Drops what is too old, a bounded part at a time. */
  sweep(): void | Promise<void>;
  /** How many records there are; undefined where counting them would cost too much. */
  readonly size: number | undefined;
  /** Lets go of everything that the process holds; what is kept outside of it stays there. */
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
