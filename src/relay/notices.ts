/**
 * What a stream says of itself to its client.
 *
 * @module
 */

import { eventId } from "../event_log/mod.ts";
import type { Bytes } from "../http/mod.ts";
import { encodeEvent } from "../sse/mod.ts";

/** An event without data that gives a client an id to come back with (2025-11-25 basic/transports). */
export function primingEvent(stream: string): Bytes {
  return encodeEvent({ id: eventId(stream, 0), data: "" });
}

/** A comment where events are missing (R80). */
export function gapComment(after: number, upTo: number): Bytes {
  const text = ` gap: of the events ${after + 1} to ${upTo} some are no longer held`;
  return encodeEvent({ comments: [text] });
}
