/**
 * Numbers of the config, each with its bounds and default.
 *
 * @module
 */

import { z } from "zod";

/** Whole milliseconds from `least` to the longest timer there is; `fallback` where left out. */
export function milliseconds(fallback: number, least = 1) {
  return z.int({ error: "whole milliseconds" })
    .min(least, { error: `at least ${least} ms` })
    .max(2_147_483_647, { error: "at most 2147483647 ms, the longest timer there is" })
    .default(fallback);
}

/** A whole number from 1 to `most`; `fallback` where left out. */
export function count(fallback: number, most: number) {
  return z.int({ error: "a whole number" })
    .min(1, { error: "at least 1" })
    .max(most, { error: `at most ${most}` })
    .default(fallback);
}
