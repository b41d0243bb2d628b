/**
 * How long to wait before an upstream stream is opened again. Pure.
 *
 * @module
 */

/** Bounds of the waits. */
export interface BackOff {
  /** How often it is tried in a row without an event in between. */
  readonly attempts: number;
  /** The first wait is random up to this many milliseconds; each further one up to twice the one before. */
  readonly initialDelayMs: number;
  /** The longest random wait, and the longest that a server may ask for with `retry`. */
  readonly maxDelayMs: number;
}

/**
 * The wait before an attempt, in milliseconds: what the server asked for with `retry` (2025-11-25
 * basic/transports: "The client MUST respect the retry field"), and a random part, so that many
 * streams that broke together do not come back together (R69).
 *
 * @param attempt 0 for the first
 * @param retryMs what the server asked for, if it did
 * @param random in [0, 1)
 */
export function delayBefore(
  attempt: number,
  retryMs: number | undefined,
  random: number,
  { initialDelayMs, maxDelayMs }: BackOff,
): number {
  const spreadMs = Math.min(initialDelayMs * 2 ** attempt, maxDelayMs);
  return Math.min(retryMs ?? 0, maxDelayMs) + Math.floor(random * spreadMs);
}
