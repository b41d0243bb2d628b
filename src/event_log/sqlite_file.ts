/**
 * The file of an event log: opening it, its schema, and what can be wrong with it.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { EventLogError } from "./error.ts";

/** Tells a file of this program from other databases: "SWEV". */
const APPLICATION_ID = 0x53574556;

/** The version of the schema. */
const VERSION = 1;

/** How long opening waits for another process to let go of the file: one that is being replaced. */
const BUSY_TIMEOUT_MS = 5_000;

const SCHEMA = `
  CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    newest INTEGER NOT NULL,
    used INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream (id) DEFERRABLE INITIALLY DEFERRED,
    seq INTEGER NOT NULL,
    at_ms REAL NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (stream, seq)
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};
`;

/**
 * Opens an event log's file for this process alone, and makes it where there is none.
 *
 * @throws {EventLogError} when it is no event log, one of a newer version, in use, or not accessible.
 */
export function openDatabase(path: string, busyTimeoutMs = BUSY_TIMEOUT_MS): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // Made ahead of SQLite, which would let every user read what clients were sent.
    Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 }).close();
    database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    setUp(database, path);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof EventLogError) throw error;
    throw new EventLogError(`The event log ${path} cannot be opened: ${reason(error)}.`, error);
  }
}

function setUp(database: DatabaseSync, path: string): void {
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  // The first access takes the lock and sees whether this is a database at all.
  database.exec("BEGIN IMMEDIATE; COMMIT");
  const [{ tables } = { tables: 0 }] = database.prepare(
    "SELECT count(*) AS tables FROM sqlite_schema",
  ).all();
  const version = pragma(database, "user_version");
  if (tables !== 0 && pragma(database, "application_id") !== APPLICATION_ID) {
    throw new EventLogError(`${path} is a database, but not an event log; name another file.`);
  }
  if (version > VERSION) {
    throw new EventLogError(
      `The event log ${path} is of version ${version}, from a newer Switchyard; ` +
        `this one reads version ${VERSION}. Name another file, or remove it.`,
    );
  }
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  if (tables === 0) database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (/not a database/.test(text)) return "it is a file of something else";
  if (/locked|busy/.test(text)) return "another process has it open";
  return text.replace(/\.$/, "");
}
