/**
 * What a case is: one small conversation between a client and a server, to be recorded.
 *
 * @module
 */

import type { Revision } from "../../fixtures/format/mod.ts";
import type { RecordedServer, ServerName } from "./servers.ts";

/**
 * The client's part of a conversation; resolves when it has nothing more to say.
 *
 * @param url where the client calls
 * @param signal aborts when it takes too long
 * @param server only for those that end a server of their own
 */
export type Conversation = (
  url: string,
  signal: AbortSignal,
  server: Pick<RecordedServer, "close">,
) => Promise<void>;

/** One conversation to record into `fixtures/<revision>/<name>/`. */
export interface RecordCase {
  /** Lower-case words joined by dashes, at most 64 characters. */
  readonly name: string;
  /** What the conversation shows, in a sentence of at most 120 characters. */
  readonly title: string;
  readonly revision: Revision;
  readonly server: ServerName;
  readonly run: Conversation;
}

/** A row of a table whose cases share revision and server: name, title, conversation. */
export type CaseRow = readonly [name: string, title: string, run: Conversation];

/** The cases of a table. */
export function casesOf(
  revision: Revision,
  server: ServerName,
  rows: readonly CaseRow[],
): RecordCase[] {
  return rows.map(([name, title, run]) => ({ name, title, revision, server, run }));
}

/** Where a case's fixture is, under the root of the fixtures. */
export function pathOf({ revision, name }: Pick<RecordCase, "revision" | "name">): string {
  return `${revision}/${name}`;
}
