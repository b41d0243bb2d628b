/**
 * Times that are not quite the same for everybody, so that what began together does not go on together (R69).
 *
 * @module
 */

import type { Clock } from "../clock.ts";

/** A random number in [0, 1). */
export function random(clock: Clock): number {
  const [number] = new Uint32Array(clock.randomBytes(4).buffer);
  return number! / 2 ** 32;
}

/** `ms`, more or less up to a tenth of it. */
export function withinATenth(ms: number, clock: Clock): number {
  return ms * (0.9 + 0.2 * random(clock));
}
