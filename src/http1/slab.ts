/**
 * Small pieces of memory, cut from a larger one: for what is read and written within a call.
 *
 * The runtime takes memory of its own for each array of bytes, which between two calls has gone out of the
 * processor's caches and takes longer than all that is written into it (bench/NOTES.md). What keeps a piece keeps
 * the whole slab in memory: pieces are not for what is kept.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

/** Size of a slab, in bytes. */
export const SLAB_BYTES = 8_192;

/** Largest piece that is cut from a slab, in bytes. */
export const MAX_CUT_BYTES = 1_024;

let slab: Bytes = new Uint8Array(SLAB_BYTES);
let used = 0;

/** The next piece of the slab, of so many bytes. A new view of its memory is less work than `subarray`. */
function cut(length: number): Bytes {
  const piece = new Uint8Array(slab.buffer, used, length);
  used += length;
  return piece;
}

function makeRoom(length: number): void {
  if (used + length <= SLAB_BYTES) return;
  slab = new Uint8Array(SLAB_BYTES);
  used = 0;
}

/** So many bytes that nobody else has; what stands in them is to be overwritten. */
export function cutBytes(length: number): Bytes {
  if (length > MAX_CUT_BYTES) return new Uint8Array(length);
  makeRoom(length);
  return cut(length);
}

/** The first `length` bytes of `from`, which has at most `MAX_CUT_BYTES`, in memory of their own. */
export function cutCopy(from: Bytes, length: number): Bytes {
  makeRoom(length);
  // One by one: to copy with `set` takes another view, or all of what stands there (bench/NOTES.md).
  for (let at = 0; at < length; at++) slab[used + at] = from[at]!;
  return cut(length);
}
