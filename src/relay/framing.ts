/**
 * Events as a session's client gets them: numbered, with ids of the proxy's. Pure.
 *
 * @module
 */

import { eventId, type LoggedEvent } from "../event_log/mod.ts";
import type { Bytes } from "../http/mod.ts";
import { encodeEvents, type OutEvent } from "../sse/mod.ts";

/** An event on its way to a client, with whatever id the upstream gave it. */
export type Outgoing = OutEvent;

/** Events as they are written. */
export interface Framed {
  /** All of them in one piece. */
  readonly bytes: Bytes;
  /** Those that have a number, each a part of `bytes`. */
  readonly logged: readonly LoggedEvent[];
  /** The number of the last one. */
  readonly seq: number;
}

/**
 * Numbers events from `seq` on. What is only a comment or only a `retry` is written without a number:
 * there is nothing in it to come back to.
 */
export function framed(stream: string, seq: number, events: readonly Outgoing[]): Framed {
  let last = seq;
  const numbered = events.map((event): OutEvent => {
    if (event.data === undefined && event.id === undefined && event.event === undefined) {
      return event;
    }
    return { ...event, id: eventId(stream, ++last) };
  });
  const ends: number[] = [];
  const bytes = encodeEvents(numbered, ends);
  const logged: LoggedEvent[] = [];
  let number = seq;
  numbered.forEach((event, at) => {
    if (event.id === undefined) return;
    logged.push({ seq: ++number, bytes: bytes.subarray(at === 0 ? 0 : ends[at - 1], ends[at]) });
  });
  return { bytes, logged, seq: last };
}
