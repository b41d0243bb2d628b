/**
 * The streams of one instance, in a file that its next run finds.
 *
 * The file belongs to one process, so what another run held is nobody's. SQLite's calls block the process
 * for as long as they take, which without a sync of the disk on each change is some tens of microseconds.
 *
 * @module
 */

import type { DatabaseSync, StatementResultingChanges } from "node:sqlite";
import type { Clock, Timer } from "../clock.ts";
import type { FoundStream, StreamDirectory, StreamEntry, StreamMark } from "../relay/mod.ts";
import { openFile } from "../sqlite/mod.ts";
import { newInstanceName } from "./instance.ts";
import { foundStream, type KeptStream, keptStream, markText, MAX_SUBSCRIPTIONS } from "./kept.ts";

/** A directory's file cannot be used. */
export class StreamDirectoryError extends Error {
  /** For the reason in `message`, because of `cause`. */
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "StreamDirectoryError";
  }
}

const KIND = {
  name: "stream directory",
  /** "SWSD". */
  applicationId: 0x53575344,
  version: 1,
  // Streams that nobody holds are the first to go; `run` says when the run that holds the others was there.
  schema: `
    CREATE TABLE stream (
      name TEXT PRIMARY KEY,
      session TEXT NOT NULL,
      requestIds TEXT NOT NULL,
      clientPolls TEXT NOT NULL,
      owner TEXT NOT NULL,
      mark TEXT NOT NULL,
      usedMs REAL NOT NULL
    ) STRICT;
    CREATE INDEX stream_session ON stream (session);
    CREATE INDEX stream_age ON stream (owner <> '', usedMs);
    CREATE TABLE run (id INTEGER PRIMARY KEY CHECK (id = 1), seenMs REAL NOT NULL) STRICT;
    INSERT INTO run VALUES (1, 0);
  `,
  failure: StreamDirectoryError,
};

/** Longest time between two notes that this run is there, in milliseconds. */
const MAX_RENEWAL_MS = 3_600_000;

/** Streams that are too old and go whenever one begins. */
const SWEEP_STREAMS = 100;

/** How much a directory holds. */
export interface SqliteStreamDirectoryLimits {
  /** How long a stream is kept that this run does not hold, in milliseconds. */
  readonly ttlMs: number;
  /** Streams; those that nobody holds give way first, and of them and the others the oldest. */
  readonly maxStreams: number;
}

const OLDEST = "SELECT name FROM stream ORDER BY owner <> '', usedMs";

/** The statements of a directory. */
function prepare(database: DatabaseSync) {
  const select = "SELECT * FROM stream WHERE (owner <> '' OR usedMs > ?) AND ";
  return {
    letGo: database.prepare(
      "UPDATE stream SET owner = '', usedMs = max(usedMs, (SELECT seenMs FROM run)) " +
        "WHERE owner <> ''",
    ),
    seen: database.prepare("UPDATE run SET seenMs = ?"),
    open: database.prepare(
      "INSERT INTO stream (session, requestIds, clientPolls, owner, mark, name, usedMs) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    ),
    mark: database.prepare("UPDATE stream SET mark = ? WHERE name = ? AND owner = ?"),
    close: database.prepare("DELETE FROM stream WHERE name = ? AND owner = ?"),
    release: database.prepare(
      "UPDATE stream SET owner = '', usedMs = ? WHERE name = ? AND owner = ?",
    ),
    takeOver: database.prepare(
      "UPDATE stream SET owner = ?, usedMs = ? WHERE name = ? AND owner = ? " +
        "AND (owner <> '' OR usedMs > ?)",
    ),
    find: database.prepare(`${select} name = ? AND session = ?`),
    subscriptions: database.prepare(
      `${select} session = ? AND requestIds = '[]' LIMIT ${MAX_SUBSCRIPTIONS}`,
    ),
    expire: database.prepare(
      "DELETE FROM stream WHERE name IN " +
        "(SELECT name FROM stream WHERE (owner <> '') = 0 AND usedMs <= ? LIMIT ?)",
    ),
    count: database.prepare("SELECT count(*) AS streams FROM stream"),
    evict: database.prepare(`DELETE FROM stream WHERE name IN (${OLDEST} LIMIT ?)`),
  };
}

/** Streams in a file of SQLite. Every method answers at once, and throws what SQLite does. */
export class SqliteStreamDirectory implements StreamDirectory {
  /** See `StreamDirectory`. */
  readonly instance: string;
  readonly #clock: Clock;
  readonly #limits: SqliteStreamDirectoryLimits;
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  #timer: Timer | undefined;
  #size: number;
  #closed = false;

  /**
   * Opens the file at `path`, or makes it, with no rights for other users. The limits hold for what is in it
   * too.
   *
   * @throws {StreamDirectoryError} when it is none, of a newer version, in use, or not accessible.
   */
  constructor(clock: Clock, limits: SqliteStreamDirectoryLimits, path: string) {
    this.instance = newInstanceName(clock);
    this.#clock = clock;
    this.#limits = limits;
    this.#database = openFile(KIND, path);
    try {
      this.#statements = prepare(this.#database);
      this.#size = Number(this.#statements.count.get()!.streams);
      this.#statements.letGo.run();
      this.#statements.seen.run(this.#nowMs());
      this.#trim(-1);
    } catch (error) {
      this.#database.close();
      throw failure(path, error);
    }
    this.#seeLater();
  }

  /** How many streams there are. */
  get size(): number {
    return this.#closed ? 0 : this.#size;
  }

  /** See `StreamDirectory`. */
  open(entry: StreamEntry): void {
    if (this.#closed) return;
    const { session, requestIds, clientPolls, owner, mark } = keptStream(entry, this.instance);
    const values = [session, requestIds, clientPolls, owner, mark, entry.name, this.#nowMs()];
    this.#size += Number(this.#statements.open.run(...values).changes);
    this.#trim(SWEEP_STREAMS);
  }

  /** See `StreamDirectory`. */
  mark(name: string, mark: StreamMark): boolean {
    if (!this.#closed) this.#statements.mark.run(markText(mark), name, this.instance);
    // No other instance runs that could have taken it over.
    return true;
  }

  /** See `StreamDirectory`. */
  close({ name }: StreamEntry): void {
    if (!this.#closed) this.#drop(this.#statements.close.run(name, this.instance));
  }

  /** See `StreamDirectory`. */
  release(name: string): void {
    if (!this.#closed) this.#statements.release.run(this.#nowMs(), name, this.instance);
  }

  /** See `StreamDirectory`. */
  find(session: string, name: string): FoundStream | undefined {
    if (this.#closed) return undefined;
    const row = this.#statements.find.get(this.#oldestMs(), name, session);
    return row && foundStream(name, row as unknown as KeptStream);
  }

  /** See `StreamDirectory`. */
  subscriptions(session: string): readonly FoundStream[] {
    if (this.#closed) return [];
    return this.#statements.subscriptions.all(this.#oldestMs(), session)
      .map((row) => foundStream(String(row.name), row as unknown as KeptStream))
      .filter((found) => found !== undefined);
  }

  /** See `StreamDirectory`. */
  isAlive(instance: string): boolean {
    return !this.#closed && instance === this.instance;
  }

  /** See `StreamDirectory`. */
  takeOver(name: string, owner: string): boolean {
    if (this.#closed) return false;
    const values = [this.instance, this.#nowMs(), name, owner, this.#oldestMs()];
    return this.#statements.takeOver.run(...values).changes === 1;
  }

  /** See `StreamDirectory`. */
  shutdown(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    try {
      this.#statements.seen.run(this.#nowMs());
      this.#statements.letGo.run();
    } finally {
      this.#closed = true;
      this.#database.close();
    }
  }

  /** Drops up to `count` streams that are too old, all for -1, and those that are too many. */
  #trim(count: number): void {
    this.#drop(this.#statements.expire.run(this.#oldestMs(), count));
    const tooMany = this.#size - this.#limits.maxStreams;
    if (tooMany > 0) this.#drop(this.#statements.evict.run(tooMany));
  }

  #drop({ changes }: StatementResultingChanges): void {
    this.#size -= Number(changes);
  }

  /** Notes now and then that this run is there, so that the age of what it holds counts from its end. */
  #seeLater(): void {
    const delayMs = Math.min(this.#limits.ttlMs / 3, MAX_RENEWAL_MS);
    this.#timer = this.#clock.after(delayMs, () => {
      this.#seeLater();
      try {
        this.#statements.seen.run(this.#nowMs());
      } catch {
        // A disk that is full now may not be the next time.
      }
    });
  }

  #oldestMs(): number {
    return this.#nowMs() - this.#limits.ttlMs;
  }

  #nowMs(): number {
    return this.#clock.now().getTime();
  }
}

function failure(path: string, error: unknown): StreamDirectoryError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StreamDirectoryError(`The stream directory ${path} failed: ${reason}.`, error);
}
