/**
 * What an event log is: the events of streams, as they were written to clients, kept for a while so
 * that a client whose connection broke gets what it missed (2025-11-25 basic/transports,
 * "Resumability and Redelivery").
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

/** An event as it was written to a client, its id included. */
export interface LoggedEvent {
  /** Its number in its stream, from 1. */
  readonly seq: number;
  /** What was written. Those of a log must not be changed by who gets them. */
  readonly bytes: Bytes;
}

/** What a log has behind one event of a stream. */
export interface Replay {
  /** The events, oldest first. */
  readonly events: readonly LoggedEvent[];
  /**
   * Whether something is missing behind the event asked for and up to the last one given (up to the
   * newest there was, where `more` is false): who passes `events` on skips it.
   */
  readonly gap: boolean;
  /** Whether more are held than were given; ask again with the `seq` of the last one. */
  readonly more: boolean;
}

/** How much a log holds. What is oldest goes first. */
export interface EventLogLimits {
  /** Events of all streams. */
  readonly maxEvents: number;
  /** Bytes of all streams, with `EVENT_OVERHEAD_BYTES` for each event. */
  readonly maxBytes: number;
  /** Events of one stream. */
  readonly maxStreamEvents: number;
  /** Bytes of one stream, with `EVENT_OVERHEAD_BYTES` for each event. */
  readonly maxStreamBytes: number;
  /** How long an event is held. */
  readonly maxAgeMs: number;
  /** Streams; the one that was not written to for longest gives way. */
  readonly maxStreams: number;
}

/** What a log holds. */
export interface EventLogSize {
  /** Streams, those without events included. */
  readonly streams: number;
  /** Events of all streams. */
  readonly events: number;
  /** Their bytes, with `EVENT_OVERHEAD_BYTES` for each. */
  readonly bytes: number;
}

/**
 * The events of many streams, within limits. What is too old goes when the log is used next: no timer
 * runs for it. A log that is closed holds nothing and takes nothing.
 */
export interface EventLog {
  /**
   * Keeps events of a stream; their `seq` rise. The bytes are copied. To be called once per read, with
   * all its events; without any it makes a new stream known, so that its beginning is no gap.
   *
   * A `seq` that is left out, as after an append that failed, is a gap; so is an event that is larger
   * than all of its stream may be.
   *
   * @throws {RangeError} when a `seq` does not rise; nothing is kept then.
   */
  append(stream: string, events: readonly LoggedEvent[]): void | Promise<void>;
  /**
   * The same for events whose numbers follow each other: `bytes` has all of them from `seq` on, and `ends`
   * says where each ends. What is oldest may go before it is kept, as with `append`.
   */
  appendRun(
    stream: string,
    seq: number,
    bytes: Bytes,
    ends: readonly number[],
  ): void | Promise<void>;
  /**
   * What is held of a stream behind the event `seq`, 0 for all: as many events as fit in `maxBytes`,
   * and one in any case. A stream or an event that the log does not know is a gap without events, never
   * the whole stream (R80).
   */
  after(stream: string, seq: number, maxBytes: number): Replay | Promise<Replay>;
  /**
   * Drops what a stream has behind the event `seq`: the next one kept may have the next number. For who goes
   * on with a stream where another has left it; left out where nothing outlives the process.
   */
  rewind?(stream: string, seq: number): void | Promise<void>;
  /** Drops a stream and everything of it. */
  forget(stream: string): void | Promise<void>;
  /** What it holds. */
  readonly size: EventLogSize;
  /** Lets go of everything that the process holds; what is in a file stays there. */
  close(): void | Promise<void>;
}

/** A run of events one by one. */
export function eventsOfRun(
  seq: number,
  bytes: Bytes,
  ends: readonly number[],
): readonly LoggedEvent[] {
  return ends.map((end, at) => ({
    seq: seq + at,
    bytes: bytes.subarray(at === 0 ? 0 : ends[at - 1], end),
  }));
}

/** The answer about a stream or an event that a log does not know. */
export const UNKNOWN: Replay = { events: [], gap: true, more: false };
