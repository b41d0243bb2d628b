/**
 * Opening a file of the proxy's own: its lock, its rights, its schema, and what can be wrong with it.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";

/** How long opening waits for another process to let go of the file: one that is being replaced. */
const BUSY_TIMEOUT_MS = 5_000;

/** What the file is. */
export interface FileKind {
  /** What it is called in sentences, such as "event log". */
  readonly name: string;
  /** Tells it from other databases: four letters as a number. */
  readonly applicationId: number;
  /** The version of its schema. */
  readonly version: number;
  /** The statements that make its tables. */
  readonly schema: string;
  /** What is thrown where the file cannot be used; `SqliteFileError` where it is left out. */
  readonly failure?: new (message: string, cause?: unknown) => Error;
}

/** Why a file cannot be used, in a sentence that names it. */
export class SqliteFileError extends Error {
  /** For the reason in `message`, because of `cause`. */
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "SqliteFileError";
  }
}

/**
 * Opens a file for this process alone, and makes it where there is none, with no rights for other users.
 *
 * It is written ahead (WAL) and not synced at each change: a crash of the process loses nothing, one of the
 * machine what came last. Deno asks for the permission to read and to write the file; its journal
 * (`FILE-wal`) needs none.
 *
 * @throws {SqliteFileError} or `kind.failure`, when it is of another kind, of a newer version, in use, or not
 * accessible.
 */
export function openFile(
  kind: FileKind,
  path: string,
  busyTimeoutMs = BUSY_TIMEOUT_MS,
): DatabaseSync {
  const { failure: Failure = SqliteFileError } = kind;
  let database: DatabaseSync | undefined;
  try {
    // Made ahead of SQLite, which would let every user read it.
    Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 }).close();
    database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    setUp(database, kind, path);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof Failure) throw error;
    throw new Failure(`The ${kind.name} ${path} cannot be opened: ${reason(error)}.`, error);
  }
}

function setUp(database: DatabaseSync, kind: FileKind, path: string): void {
  const { name, applicationId, version, schema, failure: Failure = SqliteFileError } = kind;
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  // The first access takes the lock and sees whether this is a database at all.
  database.exec("BEGIN IMMEDIATE; COMMIT");
  const [{ tables } = { tables: 0 }] = database.prepare(
    "SELECT count(*) AS tables FROM sqlite_schema",
  ).all();
  const found = pragma(database, "user_version");
  if (tables !== 0 && pragma(database, "application_id") !== applicationId) {
    const article = /^[aeiou]/.test(name) ? "an" : "a";
    throw new Failure(
      `${path} is a database, but not ${article} ${name}; name another file.`,
    );
  }
  if (found > version) {
    throw new Failure(
      `The ${name} ${path} is of version ${found}, from a newer Switchyard; ` +
        `this one reads version ${version}. Name another file, or remove it.`,
    );
  }
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  if (tables !== 0) return;
  database.exec(
    `BEGIN IMMEDIATE; ${schema}
     PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}; COMMIT`,
  );
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
