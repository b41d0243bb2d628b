/**
 * Streams for tests: cut into pieces, parsed, and shown in a form that is easy to write down.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import type { SseEvent } from "./event.ts";
import { EventParser } from "./parser.ts";

/** An event with its data as text, and without what it does not have. */
export interface ShownEvent {
  readonly id?: string;
  readonly event?: string;
  readonly retry?: number;
  readonly comments?: readonly string[];
  readonly data?: string;
}

/** What came of a stream. */
export interface Parsed {
  readonly events: readonly ShownEvent[];
  readonly midEvent: boolean;
}

const MAX_EVENT_BYTES = 16_777_216;
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text as UTF-8. */
export function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}

/** An event as tests write it down. */
export function shown(event: SseEvent): ShownEvent {
  return {
    ...(event.id === undefined ? {} : { id: event.id }),
    ...(event.event === undefined ? {} : { event: event.event }),
    ...(event.retry === undefined ? {} : { retry: event.retry }),
    ...(event.comments.length === 0 ? {} : { comments: event.comments }),
    ...(event.data === undefined ? {} : { data: UTF8.decode(event.data) }),
  };
}

/**
 * Parses a stream in pieces of these lengths, the last of which is repeated. Each piece is read into
 * the same buffer, as from a connection, and the events are shown when all of them are there.
 */
export function parseIn(
  lengths: readonly number[],
  bytes: Uint8Array,
  maxEventBytes = MAX_EVENT_BYTES,
): Parsed {
  const parser = new EventParser({ maxEventBytes });
  const buffer = new Uint8Array(bytes.length);
  const events: SseEvent[] = [];
  let index = 0;
  for (let at = 0; at < bytes.length;) {
    const length = lengths[Math.min(index++, lengths.length - 1)]!;
    const piece = bytes.subarray(at, at + length);
    buffer.set(piece);
    for (const event of parser.feed(buffer.subarray(0, piece.length))) events.push(event);
    at += length;
  }
  buffer.fill(0);
  return { events: events.map(shown), midEvent: parser.midEvent };
}

/** The ways to cut bytes that tests go through: whole, one by one, and in two at every place. */
export function splits(length: number): (readonly number[])[] {
  const inTwo = Array.from({ length }, (_, at) => [at, length]);
  return [[Math.max(1, length)], [1], ...inTwo];
}
