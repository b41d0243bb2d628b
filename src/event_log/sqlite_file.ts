/**
 * The file of an event log.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { openFile } from "../sqlite/mod.ts";
import { EventLogError } from "./error.ts";

const KIND = {
  name: "event log",
  /** "SWEV". */
  applicationId: 0x53574556,
  version: 1,
  schema: `
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
  `,
  failure: EventLogError,
};

/**
 * Opens an event log's file for this process alone, and makes it where there is none.
 *
 * @throws {EventLogError} when it is no event log, one of a newer version, in use, or not accessible.
 */
export function openDatabase(path: string, busyTimeoutMs?: number): DatabaseSync {
  return openFile(KIND, path, busyTimeoutMs);
}
