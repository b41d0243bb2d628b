/**
 * An event log in a file, which a restart of the proxy does not lose.
 *
 * The books are in memory as those of `MemoryEventLog` are, and are read from the file when it is opened;
 * the file alone has the bytes. It belongs to one process: two with books of their own would give
 * different streams the same place in it. SQLite's calls block the process for as long as they take, which
 * without a sync of the disk on each append is some microseconds for an event.
 *
 * Deno asks for the permission to read and to write the file; its journal (`FILE-wal`) needs none.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import type { Clock } from "../clock.ts";
import type { Bytes } from "../http/mod.ts";
import { type Keeper, Ledger } from "./ledger.ts";
import {
  type EventLog,
  type EventLogLimits,
  type EventLogSize,
  eventsOfRun,
  type LoggedEvent,
  type Replay,
  UNKNOWN,
} from "./log.ts";
import { openDatabase } from "./sqlite_file.ts";
import type { Run, StreamBook } from "./stream_book.ts";

/** The statements of a log. */
function prepare(database: DatabaseSync) {
  return {
    keep: database.prepare("INSERT INTO event (stream, seq, at_ms, bytes) VALUES (?, ?, ?, ?)"),
    drop: database.prepare("DELETE FROM event WHERE stream = ? AND seq <= ?"),
    read: database.prepare(
      "SELECT seq, bytes FROM event WHERE stream = ? AND seq BETWEEN ? AND ? ORDER BY seq",
    ),
    useStream: database.prepare(
      "INSERT INTO stream (id, name, newest, used) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT (id) DO UPDATE SET newest = excluded.newest, used = excluded.used",
    ),
    forgetEvents: database.prepare("DELETE FROM event WHERE stream = ?"),
    forgetStream: database.prepare("DELETE FROM stream WHERE id = ?"),
    begin: database.prepare("BEGIN IMMEDIATE"),
    commit: database.prepare("COMMIT"),
    rollback: database.prepare("ROLLBACK"),
  };
}

/** An event log in a file of SQLite. Where writing fails, the error is thrown
 * and the stream is forgotten. */
export class SqliteEventLog implements EventLog {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #ledger: Ledger<undefined>;
  readonly #clock: Clock;
  /** What the clock's monotonic scale has to be moved by to go on where the file's times end. */
  readonly #offsetMs: number;
  /** Up to which event each stream is to be deleted in the file. */
  readonly #dropped = new Map<number, number>();
  /** The streams to be deleted in the file. */
  readonly #forgotten = new Set<number>();
  /** Counts the appends, also those of earlier processes: the order in which streams were used. */
  #uses: number;
  #closed = false;

  /**
   * Opens the file at `path`, or makes it, with no rights for other users.
   *
   * @throws {EventLogError} when it is no event log, one of a newer version, in use, or not accessible.
   */
  constructor(clock: Clock, limits: EventLogLimits, path: string) {
    this.#clock = clock;
    this.#database = openDatabase(path);
    this.#statements = prepare(this.#database);
    this.#ledger = new Ledger(limits, this.#keeper());
    const { newestAtMs, uses } = this.#restore();
    this.#uses = uses;
    // The times in the file outlive a process, so they are wall-clock ones; but they never go back.
    this.#offsetMs = Math.max(clock.now().getTime(), newestAtMs) - clock.monotonicMs();
    this.#ledger.trimAll(this.#nowMs());
    this.#write(() => {});
  }

  /** See `EventLog`. */
  get size(): EventLogSize {
    return this.#ledger.size;
  }

  /** See `EventLog`. */
  append(stream: string, events: readonly LoggedEvent[]): void {
    if (this.#closed) return;
    this.#ledger.check(stream, events);
    try {
      this.#write(() => {
        const { id, name, newest } = this.#ledger.append(stream, events, this.#nowMs());
        this.#statements.useStream.run(id, name, newest, ++this.#uses);
      });
    } catch (error) {
      // The books have what the file has not. Without the stream they are right again: all of it is a gap.
      this.#ledger.forget(stream);
      throw error;
    }
  }

  /** See `EventLog`. */
  appendRun(stream: string, seq: number, bytes: Bytes, ends: readonly number[]): void {
    this.append(stream, eventsOfRun(seq, bytes, ends));
  }

  /** See `EventLog`. */
  after(stream: string, seq: number, maxBytes: number): Replay {
    if (this.#closed) return UNKNOWN;
    const { parts, gap, more } = this.#ledger.after(stream, seq, maxBytes, this.#nowMs());
    // What has become too old is deleted by the next append: a question writes nothing.
    const events: LoggedEvent[] = [];
    for (const { run, from, to } of parts) {
      const [first, last] = [run.firstSeq + from, run.firstSeq + to - 1];
      const rows = this.#statements.read.all(run.stream.id, first, last);
      for (const row of rows) events.push(row as unknown as LoggedEvent);
    }
    return { events, gap, more };
  }

  /** See `EventLog`. What is left counts as appended now. */
  rewind(stream: string, seq: number): void {
    if (this.#closed || (this.#ledger.newest(stream) ?? 0) <= seq) return;
    const { events } = this.after(stream, 0, Infinity);
    this.forget(stream);
    this.append(stream, events.filter((event) => event.seq <= seq));
  }

  /** See `EventLog`. */
  forget(stream: string): void {
    if (this.#closed) return;
    this.#ledger.forget(stream);
    if (this.#forgotten.size > 0) this.#write(() => {});
  }

  /** See `EventLog`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ledger.clear();
    this.#database.close();
  }

  #nowMs(): number {
    return this.#clock.monotonicMs() + this.#offsetMs;
  }

  #keeper(): Keeper<undefined> {
    return {
      keep: (stream, events, from, to, atMs) => {
        for (let index = from; index < to; index++) {
          const { seq, bytes } = events[index]!;
          this.#statements.keep.run(stream.id, seq, atMs, bytes);
        }
      },
      dropped: (run: Run<undefined>) => {
        this.#dropped.set(run.stream.id, run.firstSeq + run.gone - 1);
      },
      forgotten: (stream: StreamBook<undefined>) => {
        this.#dropped.delete(stream.id);
        this.#forgotten.add(stream.id);
      },
    };
  }

  /** Does `change`, and deletes what it has made go, in one transaction. */
  #write(change: () => void): void {
    const { begin, commit, rollback } = this.#statements;
    begin.run();
    try {
      // What an earlier transaction left behind stands in the way of a stream of the same name.
      this.#delete();
      change();
      this.#delete();
      commit.run();
    } catch (error) {
      // A full disk has SQLite roll back by itself. What was to be deleted is deleted next time.
      if (this.#database.isTransaction) rollback.run();
      throw error;
    }
    this.#dropped.clear();
    this.#forgotten.clear();
  }

  #delete(): void {
    const { drop, forgetEvents, forgetStream } = this.#statements;
    for (const [id, seq] of this.#dropped) drop.run(id, seq);
    for (const id of this.#forgotten) {
      forgetEvents.run(id);
      forgetStream.run(id);
    }
  }

  /** Reads the books from the file. */
  #restore(): { newestAtMs: number; uses: number } {
    let [uses, newestAtMs] = [0, -Infinity];
    const streams = new Map<number, StreamBook<undefined>>();
    for (const row of this.#rows("SELECT id, name, newest, used FROM stream ORDER BY used")) {
      const { id, name, newest, used } = row as unknown as StreamRow;
      streams.set(id, this.#ledger.restoreStream(id, name, newest));
      uses = used;
    }
    const query = "SELECT stream, seq, at_ms AS atMs, length(bytes) AS size FROM event ORDER BY id";
    for (const row of this.#rows(query)) {
      const { stream, seq, atMs, size } = row as unknown as EventRow;
      this.#ledger.restoreEvent(streams.get(stream)!, seq, size, atMs, undefined);
      newestAtMs = Math.max(newestAtMs, atMs);
    }
    return { newestAtMs, uses };
  }

  #rows(query: string) {
    return this.#database.prepare(query).iterate();
  }
}

interface StreamRow {
  readonly id: number;
  readonly name: string;
  readonly newest: number;
  readonly used: number;
}

interface EventRow {
  readonly stream: number;
  readonly seq: number;
  readonly atMs: number;
  readonly size: number;
}
