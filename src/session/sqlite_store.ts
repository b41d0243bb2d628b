/**
 * Sessions in a file, which a restart of the proxy does not lose (R67).
 *
 * The file belongs to one process. SQLite's calls block the process for as long as they take, which without
 * a sync of the disk on each change is some tens of microseconds.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../clock.ts";
import { openFile } from "../sqlite/mod.ts";
import { LocalLocks } from "./local_locks.ts";
import { keptRecord, parseRecord, type SessionRecord } from "./record.ts";
import {
  closedError,
  expiryMs,
  type SessionStore,
  SessionStoreError,
  type SessionStoreLimits,
  SWEEP_RECORDS,
} from "./store.ts";

const KIND = {
  name: "session store",
  /** "SWSE". */
  applicationId: 0x53575345,
  version: 1,
  // What `touch` changes stands beside the JSON, so that it is not written anew.
  schema: `
    CREATE TABLE session (
      id INTEGER PRIMARY KEY,
      key TEXT NOT NULL UNIQUE,
      record TEXT NOT NULL,
      created_ms REAL NOT NULL,
      used_ms REAL NOT NULL,
      expires_ms REAL NOT NULL
    ) STRICT;
    CREATE INDEX session_expires ON session (expires_ms);
  `,
  failure: SessionStoreError,
};

/** The statements of a store. */
function prepare(database: DatabaseSync) {
  return {
    load: database.prepare("SELECT record, used_ms FROM session WHERE key = ? AND expires_ms > ?"),
    insert: database.prepare(
      "INSERT INTO session (record, created_ms, used_ms, expires_ms, key) VALUES (?, ?, ?, ?, ?)",
    ),
    replace: database.prepare(
      "UPDATE session SET record = ?, created_ms = ?, used_ms = ?, expires_ms = ? WHERE key = ?",
    ),
    touch: database.prepare(
      "UPDATE session SET used_ms = :used, " +
        "expires_ms = min(:used + :idle, created_ms + :lifetime) " +
        "WHERE key = :key AND used_ms < :used AND expires_ms > :now",
    ),
    delete: database.prepare("DELETE FROM session WHERE key = ? RETURNING expires_ms"),
    sweep: database.prepare(
      "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_ms <= ? LIMIT ?)",
    ),
    count: database.prepare("SELECT count(*) AS records FROM session"),
    expire: database.prepare("UPDATE session SET expires_ms = min(used_ms + ?, created_ms + ?)"),
  };
}

interface Row {
  readonly record: string;
  readonly used_ms: number;
}

/** Sessions in a file of SQLite. Every method answers at once. */
export class SqliteSessionStore implements SessionStore {
  readonly #clock: Clock;
  readonly #limits: SessionStoreLimits;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #locks: LocalLocks;
  #size: number;
  #closed = false;

  /**
   * Opens the file at `path`, or makes it, with no rights for other users. The limits hold for what is in it
   * too.
   *
   * @throws {SessionStoreError} when it is no session store, one of a newer version, in use, or not accessible.
   */
  constructor(clock: Clock, limits: SessionStoreLimits, path: string) {
    this.#clock = clock;
    this.#limits = limits;
    this.#path = path;
    this.#locks = new LocalLocks(clock);
    this.#database = openFile(KIND, path);
    try {
      this.#statements = prepare(this.#database);
      this.#statements.expire.run(limits.idleTimeoutMs, limits.lifetimeMs);
      this.#size = Number(this.#statements.count.get()!.records);
    } catch (error) {
      this.#database.close();
      throw failure(path, error);
    }
  }

  /** See `SessionStore`. */
  get size(): number {
    return this.#size;
  }

  /** See `SessionStore`. */
  load(key: string): SessionRecord | undefined {
    return this.#act(({ load }) => {
      const row = load.get(key, this.#nowMs()) as Row | undefined;
      return row && parseRecord(row.record, row.used_ms);
    });
  }

  /** See `SessionStore`. */
  save(record: SessionRecord): void {
    this.#save(keptRecord(record));
  }

  /** See `SessionStore`. */
  touch(key: string, lastUsedMs: number): void {
    const { idleTimeoutMs: idle, lifetimeMs: lifetime } = this.#limits;
    this.#act(({ touch }) =>
      touch.run({ key, used: lastUsedMs, idle, lifetime, now: this.#nowMs() })
    );
  }

  /** See `SessionStore`. */
  delete(key: string): boolean {
    return this.#act((statements) => {
      const row = statements.delete.get(key);
      if (row === undefined) return false;
      this.#size--;
      return Number(row.expires_ms) > this.#nowMs();
    });
  }

  /** See `SessionStore`. */
  update(
    key: string,
    change: (record: SessionRecord) => SessionRecord | undefined,
  ): SessionRecord | undefined {
    // One process, and nothing here waits: nothing gets in between.
    const record = this.load(key);
    const changed = record && change(record);
    if (changed === undefined) return undefined;
    const kept = keptRecord({ ...changed, key });
    this.#save(kept);
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
    if (this.#closed) return;
    this.#act(({ sweep }) => {
      this.#size -= Number(sweep.run(this.#nowMs(), SWEEP_RECORDS).changes);
    });
    this.#locks.sweep();
  }

  /** See `SessionStore`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#locks.clear();
    this.#database.close();
  }

  #save(record: SessionRecord): void {
    const { key, createdMs, lastUsedMs } = record;
    const values = [JSON.stringify(record), createdMs, lastUsedMs, expiryMs(record, this.#limits)];
    this.#act(({ insert, replace }) => {
      if (replace.run(...values, key).changes !== 0) return;
      insert.run(...values, key);
      this.#size++;
    });
  }

  #act<T>(act: (statements: ReturnType<typeof prepare>) => T): T {
    if (this.#closed) throw closedError();
    try {
      return act(this.#statements);
    } catch (error) {
      throw failure(this.#path, error);
    }
  }

  #nowMs(): number {
    return this.#clock.now().getTime();
  }
}

function failure(path: string, error: unknown): SessionStoreError {
  const reason = error instanceof Error ? error.message : String(error);
  return new SessionStoreError(`The session store ${path} failed: ${reason}.`, error);
}
