/**
 * Making an event of the lines of its block (WHATWG HTML 9.2.6).
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import type { SseEvent } from "./event.ts";
import { LF } from "./lines.ts";

const COLON = 0x3a;
const SPACE = 0x20;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

const NO_BYTES = new Uint8Array(0);
const NO_COMMENTS: readonly string[] = Object.freeze([]);

/** A U+FEFF inside of a stream is text; that ahead of the stream is taken away as bytes (R36). */
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The names of fields, by their first byte. */
const NAMES = {
  data: namesake("data"),
  event: namesake("event"),
  id: namesake("id"),
  retry: namesake("retry"),
};

/** Collects the lines of one block after the other. */
export class BlockReader {
  #id: string | undefined;
  #event: string | undefined;
  #retry: number | undefined;
  #comments: string[] | undefined;
  /** Where the data stands in the bytes; -1 without any. */
  #dataStart = -1;
  #dataEnd = -1;
  /** The name of the last event: in most streams all have the same. */
  #lastName = "";
  #lastNameBytes: Uint8Array = NO_BYTES;
  #movedBytes = 0;
  /** Whether an event had data of several lines since this was last set to false. */
  isMultiline = false;

  /** How many bytes were moved; tests hold this against the length (R43). */
  get movedBytes(): number {
    return this.#movedBytes;
  }

  /**
   * Takes the line from `start` to `end`. Further lines of data are moved up to the first one, over
   * lines that were taken before.
   */
  line(bytes: Bytes, start: number, end: number): void {
    switch (bytes[start]) {
      case NAMES.data[0]:
        if (isField(bytes, start, end, NAMES.data)) {
          this.#data(bytes, valueStart(bytes, start + 4, end), end);
        }
        return;
      case NAMES.event[0]:
        if (isField(bytes, start, end, NAMES.event)) {
          this.#event = this.#nameOf(bytes, valueStart(bytes, start + 5, end), end);
        }
        return;
      case NAMES.id[0]:
        if (isField(bytes, start, end, NAMES.id)) {
          const id = text(bytes, valueStart(bytes, start + 2, end), end);
          if (!id.includes("\0")) this.#id = id;
        }
        return;
      case NAMES.retry[0]:
        if (isField(bytes, start, end, NAMES.retry)) {
          this.#retry = number(bytes, valueStart(bytes, start + 5, end), end) ?? this.#retry;
        }
        return;
      case COLON:
        (this.#comments ??= []).push(text(bytes, start + 1, end));
    }
  }

  /** The event of the lines since the last one. Its data is a view of the bytes. */
  finish(bytes: Bytes): SseEvent {
    const start = this.#dataStart;
    const event = {
      id: this.#id,
      event: this.#event,
      retry: this.#retry,
      comments: this.#comments ?? NO_COMMENTS,
      data: start === -1
        ? undefined
        : new Uint8Array(bytes.buffer, bytes.byteOffset + start, this.#dataEnd - start),
    };
    this.reset();
    return event;
  }

  /** Forgets the lines since the last event. */
  reset(): void {
    this.#id = undefined;
    this.#event = undefined;
    this.#retry = undefined;
    this.#comments = undefined;
    this.#dataStart = -1;
  }

  #data(bytes: Bytes, start: number, end: number): void {
    if (this.#dataStart === -1) {
      this.#dataStart = start;
      this.#dataEnd = end;
      return;
    }
    this.isMultiline = true;
    bytes[this.#dataEnd++] = LF;
    bytes.copyWithin(this.#dataEnd, start, end);
    this.#dataEnd += end - start;
    this.#movedBytes += end - start + 1;
  }

  #nameOf(bytes: Bytes, start: number, end: number): string {
    const known = this.#lastNameBytes;
    if (end - start !== known.length || !stands(known, bytes, start)) {
      this.#lastNameBytes = bytes.slice(start, end);
      this.#lastName = text(bytes, start, end);
    }
    return this.#lastName;
  }
}

function namesake(name: string): Uint8Array {
  return new TextEncoder().encode(name);
}

/** Whether the line is this field, with a value behind a colon or without. */
function isField(bytes: Bytes, start: number, end: number, name: Uint8Array): boolean {
  // A name has no line end in it, so it cannot be found beyond the line.
  if (!stands(name, bytes, start)) return false;
  const behind = start + name.length;
  return behind === end || bytes[behind] === COLON;
}

/** Whether these bytes stand at this place. */
function stands(wanted: Uint8Array, bytes: Bytes, start: number): boolean {
  for (let at = 0; at < wanted.length; at++) {
    if (bytes[start + at] !== wanted[at]) return false;
  }
  return true;
}

/** Where the value begins, given the end of the name: behind the colon and one space. */
function valueStart(bytes: Bytes, nameEnd: number, end: number): number {
  if (nameEnd === end) return end;
  return nameEnd + 1 < end && bytes[nameEnd + 1] === SPACE ? nameEnd + 2 : nameEnd + 1;
}

function text(bytes: Bytes, start: number, end: number): string {
  return start === end ? "" : UTF8.decode(bytes.subarray(start, end));
}

/** The number, if the value is digits and nothing else. */
function number(bytes: Bytes, start: number, end: number): number | undefined {
  let value = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < DIGIT_0 || byte > DIGIT_9) return undefined;
    // In this order no sum that counts is rounded.
    value = Math.min(value * 10 + (byte - DIGIT_0), Number.MAX_SAFE_INTEGER);
  }
  return start === end ? undefined : value;
}
