/**
 * The bytes of a block whose end has not come yet.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

/** No bytes; shared, since every stream would otherwise hold empty arrays of its own. */
const NONE: Bytes = new Uint8Array(0);

/** The least that is allocated, in bytes. */
const MIN_CAPACITY_BYTES = 256;
/** Fewer bytes than this are copied one by one, because a native copy takes longer to call. */
const FEW_BYTES = 16;

/** Bytes that grow up to a limit, by doubling, so that appending takes linear time in all. */
export class KeptBytes {
  readonly #maxBytes: number;
  #bytes: Bytes = NONE;
  #length = 0;
  #copiedBytes = 0;

  /** Nothing kept yet, and never more than `maxBytes`. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many bytes are kept. */
  get length(): number {
    return this.#length;
  }

  /** How many bytes were copied so far; tests hold this against the length (R43). */
  get copiedBytes(): number {
    return this.#copiedBytes;
  }

  /** How many bytes are allocated. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Appends the bytes from `start` to `end`; false, and nothing done, where they do not fit. */
  append(bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.#length + end - start;
    if (length > this.#maxBytes) return false;
    if (length > this.#bytes.length) this.#grow(length);
    if (end - start < FEW_BYTES) {
      for (let at = start; at < end; at++) this.#bytes[this.#length + at - start] = bytes[at]!;
    } else {
      this.#bytes.set(bytes.subarray(start, end), this.#length);
    }
    this.#copiedBytes += end - start;
    this.#length = length;
    return true;
  }

  /** Hands over all that is kept, with the memory it stands in. */
  take(): Bytes {
    const taken = new Uint8Array(this.#bytes.buffer, 0, this.#length);
    this.#bytes = NONE;
    this.#length = 0;
    return taken;
  }

  #grow(length: number): void {
    const wanted = Math.max(length, 2 * this.#bytes.length, MIN_CAPACITY_BYTES);
    this.#copiedBytes += this.#length;
    // Not ArrayBuffer.transfer(): once a buffer is detached V8 checks for it at every access to any.
    const grown = new Uint8Array(Math.min(wanted, this.#maxBytes));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
