/**
 * Streams as text, for whatever keeps them.
 *
 * @module
 */

import type { FoundStream, StreamEntry, StreamMark } from "../relay/mod.ts";

/** Streams of one session on which the server speaks first that are looked at for one question. */
export const MAX_SUBSCRIPTIONS = 64;

/** A stream as it is kept. Its name is what it is kept under. */
export interface KeptStream {
  /** Key of the session that it belongs to. */
  readonly session: string;
  /** The ids of the requests that it answers, as a JSON array of texts. */
  readonly requestIds: string;
  /** Whether the client polls: "1" or "0". */
  readonly clientPolls: string;
  /** The instance that holds it; empty for none. */
  readonly owner: string;
  /** Its `StreamMark` as JSON. */
  readonly mark: string;
}

/** A stream that has just begun, as `owner` keeps it. */
export function keptStream(entry: StreamEntry, owner: string): KeptStream {
  const { session, requestIds, clientPolls } = entry;
  return {
    session,
    requestIds: JSON.stringify(requestIds),
    clientPolls: clientPolls ? "1" : "0",
    owner,
    mark: markText({ seq: 0, pending: requestIds, finished: false }),
  };
}

/** A mark as it is kept. */
export function markText(mark: StreamMark): string {
  const { seq, upstreamId, retryMs, pending, answered, finished } = mark;
  return JSON.stringify({ seq, upstreamId, retryMs, pending, answered, finished });
}

/** What was kept of the stream `name`; undefined for what this version does not write. */
export function foundStream(name: string, kept: KeptStream): FoundStream | undefined {
  const requestIds = parsed(kept.requestIds);
  const mark = parsed(kept.mark);
  if (!isTexts(requestIds) || !isMark(mark)) return undefined;
  const { session, clientPolls, owner } = kept;
  return { entry: { name, session, requestIds, clientPolls: clientPolls === "1" }, mark, owner };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function isMark(value: unknown): value is StreamMark {
  if (typeof value !== "object" || value === null) return false;
  const { seq, upstreamId, retryMs, pending, answered, finished } = value as Record<
    string,
    unknown
  >;
  return isSeq(seq) && isTexts(pending) && typeof finished === "boolean" &&
    (upstreamId === undefined || typeof upstreamId === "string") &&
    (retryMs === undefined || typeof retryMs === "number") &&
    (answered === undefined || (Array.isArray(answered) && answered.every(isPlace)));
}

function isPlace(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "string" &&
    isSeq(value[1]);
}

/** Whether this can be the number of an event, or 0. */
export function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
