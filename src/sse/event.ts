/**
 * What an event of a stream is, between the parser and the encoder.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

/** One block of an event stream: what stands between two blank lines. */
export interface SseEvent {
  /** The last `id` field without NUL; "" takes the last event id back (R37). */
  readonly id: string | undefined;
  /** The last `event` field. */
  readonly event: string | undefined;
  /** The last `retry` field of digits alone, in milliseconds, at most `Number.MAX_SAFE_INTEGER` (R38). */
  readonly retry: number | undefined;
  /** What stands behind the colon of each comment line, a leading space included. */
  readonly comments: readonly string[];
  /** The `data` lines joined by LF; undefined without any, empty for an empty one (R39). */
  readonly data: Bytes | undefined;
}

/** An event whose lines are longer than the parser may hold (R42). */
export class EventTooLargeError extends Error {
  /** The class of this error. */
  override readonly name = "EventTooLargeError";
  /** The most bytes that an event may have. */
  readonly maxEventBytes: number;
  /** The events that were complete ahead of it in the same bytes. */
  readonly events: readonly SseEvent[];

  /** An error that hands on the events ahead of the one that is too large. */
  constructor(maxEventBytes: number, events: readonly SseEvent[]) {
    super(`An event of the stream is larger than ${maxEventBytes} bytes.`);
    this.maxEventBytes = maxEventBytes;
    this.events = events;
  }
}
