/**
 * Bytes of a process as lines, each within a cap.
 *
 * Source: 2025-11-25 basic/transports, "stdio": messages are delimited by newlines.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

const LF = 0x0a;
const CR = 0x0d;
const FIRST_BYTES = 4_096;

/** A line has more bytes than it may. */
export class LineTooLongError extends Error {
  /** For lines of at most `maxBytes`. */
  constructor(maxBytes: number) {
    super(`A line has more than ${maxBytes} bytes.`);
    this.name = "LineTooLongError";
  }
}

/** What becomes of a line that is too long: an error, or its beginning. */
export type LongLines = "refuse" | "cut";

/** Splits bytes at line breaks; each byte is looked at once, however they come. */
export class LineReader {
  readonly #maxBytes: number;
  readonly #longLines: LongLines;
  #buffer: Bytes = new Uint8Array(0);
  #length = 0;
  #cut = false;

  /** For lines of at most `maxBytes`, line break not counted. */
  constructor(maxBytes: number, longLines: LongLines) {
    this.#maxBytes = maxBytes;
    this.#longLines = longLines;
  }

  /**
   * The lines that `bytes` complete, one by one as they are asked for, without their line breaks.
   *
   * @throws {LineTooLongError} where one is too long and such lines are refused
   */
  *feed(bytes: Bytes): Generator<Bytes> {
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(LF, from);
      if (end === -1) break;
      this.#keep(bytes, from, end);
      from = end + 1;
      yield this.#take();
    }
    this.#keep(bytes, from, bytes.length);
  }

  /** What stands behind the last line break; undefined for nothing. */
  rest(): Bytes | undefined {
    return this.#length === 0 ? undefined : this.#take();
  }

  #keep(bytes: Bytes, from: number, to: number): void {
    const room = this.#maxBytes - this.#length;
    let end = to;
    if (to - from > room) {
      if (this.#longLines === "refuse") throw new LineTooLongError(this.#maxBytes);
      end = from + room;
      this.#cut = true;
    }
    this.#grow(this.#length + end - from);
    this.#buffer.set(bytes.subarray(from, end), this.#length);
    this.#length += end - from;
  }

  #grow(wanted: number): void {
    if (wanted <= this.#buffer.length) return;
    const doubled = Math.max(wanted, 2 * this.#buffer.length, FIRST_BYTES);
    const grown = new Uint8Array(Math.min(doubled, this.#maxBytes));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }

  #take(): Bytes {
    let end = this.#length;
    if (!this.#cut && end > 0 && this.#buffer[end - 1] === CR) end--;
    const line = this.#buffer.slice(0, end);
    this.#length = 0;
    this.#cut = false;
    // A large line is seldom followed by another.
    if (this.#buffer.length > FIRST_BYTES) this.#buffer = new Uint8Array(0);
    return line;
  }
}
