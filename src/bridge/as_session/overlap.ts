/**
 * Two subscriptions to the same changes for a short time: what comes on both is passed on once. Pure.
 *
 * Which of the two a message comes on first, and whether it comes on both, is open: it may have been sent
 * before the newer one was there, or after.
 *
 * @module
 */

/** Messages that are told apart; others pass. */
export const MAX_MESSAGES = 10_000;

/** Which of the two subscriptions. */
export type Side = "older" | "newer";

/** What has come on either of the two. */
export class Overlap {
  readonly #counts = { older: new Map<string, number>(), newer: new Map<string, number>() };

  /** Whether a message that has come on a side is to be passed on: not where it has come on the other already. */
  passes(side: Side, text: string): boolean {
    const mine = this.#counts[side];
    const count = (mine.get(text) ?? 0) + 1;
    if (count > 1 || mine.size < MAX_MESSAGES) mine.set(text, count);
    const others = this.#counts[side === "older" ? "newer" : "older"].get(text) ?? 0;
    return count > others;
  }
}
