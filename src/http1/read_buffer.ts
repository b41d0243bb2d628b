/**
 * Where a connection reads into: small while little comes, so that thousands of idle streams stay
 * cheap, and large while much does, so that a busy one needs few reads.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import { cutCopy, MAX_CUT_BYTES } from "./slab.ts";

/** What an unused connection holds, in bytes: what came into it can be cut from a slab. */
const SMALL_BYTES = MAX_CUT_BYTES;
/** The most that one read takes, in bytes. */
const LARGE_BYTES = 65_536;
/**
 * Reads in a row that need no more than a quarter before the next are smaller: two, because the end of a
 * message that did not fit is small, and the next message is not.
 */
const SMALL_READS = 2;

/** The reading end of one connection: `target` before a read, `taken` after it. */
export class ReadBuffer {
  readonly #small = new Uint8Array(SMALL_BYTES);
  #target = this.#small;
  #size = SMALL_BYTES;
  #smallReads = 0;

  /** Where the next read goes. */
  target(): Bytes {
    return this.#target = this.#size === SMALL_BYTES ? this.#small : new Uint8Array(this.#size);
  }

  /**
   * The `length` bytes that were read into the target, in memory that nobody else has.
   *
   * @param isFirst whether they begin a message: most are all of it, and gone at once. They are cut from a slab; what
   * follows may have to wait for the rest, and a slab with it.
   */
  taken(length: number, isFirst: boolean): Bytes {
    const target = this.#target;
    // What was handed out is not to be kept alive by a connection that waits.
    this.#target = this.#small;
    this.#smallReads = length <= this.#size / 4 ? this.#smallReads + 1 : 0;
    if (length === target.length) this.#size = Math.min(LARGE_BYTES, this.#size * 4);
    else if (this.#smallReads >= SMALL_READS) this.#size = Math.max(SMALL_BYTES, this.#size / 4);
    if (target !== this.#small) return target.subarray(0, length);
    return isFirst ? cutCopy(target, length) : target.slice(0, length);
  }
}
