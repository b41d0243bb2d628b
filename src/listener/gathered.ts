/**
 * Bytes that come in pieces, put together as they come.
 *
 * A piece is a part of the memory that it was read into, most of which may be somebody else's, or nothing: to keep
 * many of them would take many times what is in them (R32). Pure.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

const NOTHING: Bytes = new Uint8Array();

/** What has come. Holds at most twice that, while it grows three times. */
export class Gathered {
  readonly #maxBytes: number;
  /** What has come, as long as it is one piece: mostly that is all. */
  #only: Bytes | undefined;
  #memory = NOTHING;
  #length = 0;

  /** Nothing yet, and never more than `maxBytes`. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes a piece; all but the first one are copied at once, and that when the second comes. */
  add(piece: Bytes): void {
    if (this.#length === 0) {
      this.#only = piece;
      this.#length = piece.length;
      return;
    }
    const only = this.#only;
    this.#only = undefined;
    this.#makeRoom(this.#length + piece.length);
    if (only !== undefined) this.#memory.set(only);
    this.#memory.set(piece, this.#length);
    this.#length += piece.length;
  }

  /** All that has come, in one piece; it holds nothing then. */
  take(): Bytes {
    const [memory, length] = [this.#only ?? this.#memory, this.#length];
    this.#only = undefined;
    this.#memory = NOTHING;
    this.#length = 0;
    // It may be held for long.
    return memory.length === length ? memory : memory.slice(0, length);
  }

  #makeRoom(length: number): void {
    const { length: had } = this.#memory;
    if (length <= had) return;
    const before = this.#memory;
    this.#memory = new Uint8Array(Math.max(length, Math.min(2 * had, this.#maxBytes)));
    this.#memory.set(before);
  }
}
