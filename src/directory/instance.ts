/**
 * The names of instances.
 *
 * @module
 */

import type { Clock } from "../clock.ts";

/** Random bytes in a name: 128 bits, so that no two runs ever have the same one. */
const NAME_BYTES = 16;

/** A new name: 32 hexadecimal digits. */
export function newInstanceName(clock: Clock): string {
  const bytes = clock.randomBytes(NAME_BYTES);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
