/**
 * The ids of events as clients see them: `STREAM.SEQ`.
 *
 * The dot is not in the alphabet of stream ids, and both parts have one spelling each, so that an id
 * can be read in one way only. (The example store of the TypeScript SDK splits `STREAM_SEQ` at the first
 * underscore, which a stream id in base64url may hold.)
 *
 * @module
 */

import type { Clock } from "../clock.ts";

/** Random bytes in a stream id: 128 bits. */
export const STREAM_ID_BYTES = 16;

/** Longest text of an event id. */
const MAX_ID_LENGTH = 22 + 1 + 16;

const EVENT_ID = /^([A-Za-z0-9_-]{22})\.(0|[1-9][0-9]{0,15})$/;

/** An event id, read. */
export interface EventId {
  /** The stream that it names; whether there is such a stream is another question. */
  readonly stream: string;
  /** The number of the event in it; 0 is the place ahead of the first one. */
  readonly seq: number;
}

/** A new stream id: 22 characters of base64url. */
export function newStreamId(clock: Clock): string {
  const binary = String.fromCharCode(...clock.randomBytes(STREAM_ID_BYTES));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The id of the event `seq` of a stream. */
export function eventId(stream: string, seq: number): string {
  return `${stream}.${seq}`;
}

/** The stream and number of an event id; undefined for what `eventId` does not write. */
export function parseEventId(text: string): EventId | undefined {
  if (text.length > MAX_ID_LENGTH) return undefined;
  const match = EVENT_ID.exec(text);
  if (match === null) return undefined;
  const seq = Number(match[2]);
  return Number.isSafeInteger(seq) ? { stream: match[1]!, seq } : undefined;
}
