/**
 * Where a connection reads into: small while little comes, so that thousands of idle streams stay
 * cheap, and large while much does, so that a busy one needs few reads.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

/** What an unused connection holds, in bytes. */
const SMALL_BYTES = 2_048;
/** The most that one read takes, in bytes. */
const LARGE_BYTES = 65_536;

/** The reading end of one connection. */
export class ReadBuffer {
  #small = new Uint8Array(SMALL_BYTES);
  #size = SMALL_BYTES;

  /** The next bytes, in memory of their own; null at the end. */
  async readFrom(
    source: { read(target: Uint8Array): Promise<number | null> },
  ): Promise<Bytes | null> {
    const target = this.#size === SMALL_BYTES ? this.#small : new Uint8Array(this.#size);
    const length = await source.read(target);
    if (length === null) return null;
    if (length === target.length) this.#size = Math.min(LARGE_BYTES, this.#size * 4);
    else if (length < this.#size / 4) this.#size = Math.max(SMALL_BYTES, this.#size / 4);
    return target === this.#small ? target.slice(0, length) : target.subarray(0, length);
  }
}
