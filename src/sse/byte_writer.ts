/**
 * Putting many short texts and some long bytes into one buffer.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

const ENCODER = new TextEncoder();
/** UTF-8 takes at most three bytes for each unit of a string. */
const MAX_BYTES_A_UNIT = 3;
/** Less than this is written one by one, because a native call takes longer to make. */
const FEW = 24;
/** The first byte that is not ASCII. */
const BEYOND_ASCII = 0x80;

/** A buffer that grows by doubling. */
export class ByteWriter {
  #bytes: Bytes;
  #length = 0;

  /** A writer with room for this many bytes to begin with. */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** How many bytes were written. */
  get length(): number {
    return this.#length;
  }

  /** All that was written. */
  get written(): Bytes {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Writes one byte. */
  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** Writes the bytes from `start` to `end`. */
  bytes(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#reserve(length);
    if (length < FEW) {
      for (let at = 0; at < length; at++) this.#bytes[this.#length + at] = source[start + at]!;
    } else {
      const isAll = length === source.length;
      this.#bytes.set(isAll ? source : source.subarray(start, end), this.#length);
    }
    this.#length += length;
  }

  /** Writes text as UTF-8; half of a surrogate pair becomes U+FFFD. */
  text(value: string): void {
    this.#reserve(value.length * MAX_BYTES_A_UNIT);
    if (value.length < FEW && this.#ascii(value)) return;
    const { written } = ENCODER.encodeInto(value, this.#bytes.subarray(this.#length));
    this.#length += written;
  }

  /** Writes text if it is ASCII; false, and nothing written, where it is not. */
  #ascii(value: string): boolean {
    for (let at = 0; at < value.length; at++) {
      const unit = value.charCodeAt(at);
      if (unit >= BEYOND_ASCII) return false;
      this.#bytes[this.#length + at] = unit;
    }
    this.#length += value.length;
    return true;
  }

  #reserve(length: number): void {
    const wanted = this.#length + length;
    if (wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
