/**
 * Files of SQLite that belong to the proxy alone: those of the event log and of the sessions.
 *
 * May import nothing of the other rooms.
 *
 * @module
 */

export { type FileKind, openFile, SqliteFileError } from "./file.ts";
