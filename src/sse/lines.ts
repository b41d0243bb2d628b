/**
 * Where the lines of an event stream end: at LF, CR, or CR and LF together (WHATWG HTML 9.2.5).
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** Line feed. */
export const LF = 0x0a;
/** Carriage return. */
export const CR = 0x0d;

/**
 * Bytes of this length are searched as a string of one character a byte. The runtime searches strings
 * some twenty times as fast as bytes, and the string costs a copy; a short one does not pay, and a
 * long one is not worth its memory.
 */
const MIN_TEXT_BYTES = 192;
const MAX_TEXT_BYTES = 131_072;
/**
 * Otherwise so many bytes of a line are looked at one by one. Most lines but those of data are
 * shorter, and a native search costs as much to call as that many bytes do.
 */
const NEAR_BYTES = 24;

/** Finds the ends of lines in bytes, front to back, in time linear in their length. */
export class LineFinder {
  readonly #bytes: Uint8Array;
  readonly #text: string | undefined;
  /** The first LF and the first CR at or behind the last place that was searched from. */
  #lf = -1;
  #cr = -1;
  #examinedBytes = 0;

  /** A finder for these bytes alone, which must not change ahead of where it searches. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const { length } = bytes;
    this.#text = length < MIN_TEXT_BYTES || length > MAX_TEXT_BYTES ? undefined : binaryText(bytes);
  }

  /** How many bytes were looked at; tests hold this against the length (R43). */
  get examinedBytes(): number {
    return this.#examinedBytes;
  }

  /** The place of the CR or LF that ends the line at `from`, or the number of bytes if none does. */
  endOfLine(from: number): number {
    const near = this.#text === undefined ? this.#nearEnd(from) : -1;
    if (near !== -1) return near;
    // What is found is kept: in a stream of CR alone no search for LF may run over it for each line.
    if (this.#lf < from) this.#lf = this.#search(LF, from);
    if (this.#cr < from) this.#cr = this.#search(CR, from);
    return Math.min(this.#lf, this.#cr);
  }

  /** Where the next line begins behind a line end at this place. */
  nextLine(end: number): number {
    return this.#bytes[end] === CR && this.#bytes[end + 1] === LF ? end + 2 : end + 1;
  }

  /** Whether ASCII text stands somewhere in the bytes. To be asked before they are changed. */
  contains(text: string): boolean {
    const { length } = this.#bytes;
    if (length < text.length) return false;
    this.#examinedBytes += length;
    return (this.#text ?? binaryText(this.#bytes)).includes(text);
  }

  /** The end of a short line; -1 where the line is longer. */
  #nearEnd(from: number): number {
    const bytes = this.#bytes;
    const limit = Math.min(from + NEAR_BYTES, bytes.length);
    let at = from;
    while (at < limit && bytes[at] !== LF && bytes[at] !== CR) at++;
    this.#examinedBytes += at - from + 1;
    return at < limit || at === bytes.length ? at : -1;
  }

  #search(byte: number, from: number): number {
    const found = this.#text === undefined
      ? this.#bytes.indexOf(byte, from)
      : this.#text.indexOf(byte === LF ? "\n" : "\r", from);
    const place = found === -1 ? this.#bytes.length : found;
    this.#examinedBytes += place - from + 1;
    return place;
  }
}

/** A string of one character a byte, whatever the bytes are. */
function binaryText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
