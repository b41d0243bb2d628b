/**
 * Writing an event stream, events in and bytes out. Pure.
 *
 * Source: WHATWG HTML 9.2.5. Whatever the data is, it makes one event (R44).
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import { ByteWriter } from "./byte_writer.ts";
import { CR, LF, LineFinder } from "./lines.ts";

/** An event to be written; one that was parsed is such an event too. */
export interface OutEvent {
  /** The event id; "" takes the last one back. Without line breaks and NUL. */
  readonly id?: string | undefined;
  /** The name of the event, without line breaks. */
  readonly event?: string | undefined;
  /** How long a client waits before it reconnects, in milliseconds. */
  readonly retry?: number | undefined;
  /** Comments, written right behind the colon; one with line breaks takes several lines. */
  readonly comments?: readonly string[] | undefined;
  /** The data, bytes being UTF-8; CR, LF and CRLF in it are read back as LF. */
  readonly data?: Bytes | string | undefined;
}

const LINE_BREAK = /\r\n|\r|\n/;
const COLON = 0x3a;
/** Room for the names of all fields and for a short id, event and retry. */
const FIELDS_BYTES = 96;

const DATA = prefix("data: ");
const EVENT = prefix("event: ");
const ID = prefix("id: ");
const RETRY = prefix("retry: ");

/** One event as bytes; none at all where it says nothing. */
export function encodeEvent(event: OutEvent): Bytes {
  return encodeEvents([event]);
}

/**
 * Events as bytes, one behind the other in one buffer.
 *
 * @param ends gets the index behind each event
 * @throws {TypeError} for a line break in an id or event, NUL in an id, or a `retry` that is no whole
 * number of milliseconds: the stream would say something else.
 */
export function encodeEvents(events: readonly OutEvent[], ends?: number[]): Bytes {
  let capacity = 0;
  for (const event of events) {
    capacity += FIELDS_BYTES + (event.data?.length ?? 0);
    // Text beside what it takes as ASCII, so that it need not grow.
    if (typeof event.data === "string") capacity += 2 * event.data.length;
  }
  const writer = new ByteWriter(capacity);
  for (const event of events) {
    write(writer, event);
    ends?.push(writer.length);
  }
  return writer.written;
}

function write(writer: ByteWriter, event: OutEvent): void {
  const { comments, event: name, id, retry, data } = event;
  const start = writer.length;
  if (comments !== undefined) { for (const comment of comments) writeComment(writer, comment); }
  if (name !== undefined) {
    if (hasLineBreak(name)) throw new TypeError("The name of an event must not have a line break.");
    writeField(writer, EVENT, name);
  }
  if (id !== undefined) {
    if (hasLineBreak(id)) throw new TypeError("The id of an event must not have a line break.");
    if (id.includes("\0")) throw new TypeError("The id of an event must not have a NUL.");
    writeField(writer, ID, id);
  }
  if (retry !== undefined) {
    if (!Number.isSafeInteger(retry) || retry < 0) {
      throw new TypeError("The retry of an event must be a whole number of milliseconds.");
    }
    writeField(writer, RETRY, `${retry}`);
  }
  if (typeof data === "string") writeText(writer, data);
  else if (data !== undefined) writeBytes(writer, data);
  if (writer.length > start) writer.byte(LF);
}

function writeComment(writer: ByteWriter, comment: string): void {
  for (const line of hasLineBreak(comment) ? comment.split(LINE_BREAK) : [comment]) {
    writer.byte(COLON);
    writer.text(line);
    writer.byte(LF);
  }
}

function writeText(writer: ByteWriter, data: string): void {
  if (!hasLineBreak(data)) return writeField(writer, DATA, data);
  for (const line of data.split(LINE_BREAK)) writeField(writer, DATA, line);
}

function writeBytes(writer: ByteWriter, data: Bytes): void {
  if (!data.includes(LF) && !data.includes(CR)) return writeDataLine(writer, data, 0, data.length);
  const lines = new LineFinder(data);
  for (let start = 0;;) {
    const end = lines.endOfLine(start);
    writeDataLine(writer, data, start, end);
    if (end === data.length) return;
    start = lines.nextLine(end);
  }
}

function writeDataLine(writer: ByteWriter, data: Bytes, start: number, end: number): void {
  writer.bytes(DATA, 0, DATA.length);
  writer.bytes(data, start, end);
  writer.byte(LF);
}

function writeField(writer: ByteWriter, name: Uint8Array, value: string): void {
  writer.bytes(name, 0, name.length);
  writer.text(value);
  writer.byte(LF);
}

function hasLineBreak(value: string): boolean {
  return value.includes("\n") || value.includes("\r");
}

function prefix(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
