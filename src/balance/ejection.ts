/**
 * How long a target is left alone: each time in a row twice as long, and less again after quiet times.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { HealthConfig } from "../config/mod.ts";
import { withinATenth } from "./jitter.ts";

/** The bounds, in milliseconds. */
type Bounds = Pick<HealthConfig, "ejectMs" | "maxEjectMs">;

/** The times of one target. */
export class EjectionTimes {
  readonly #clock: Clock;
  /** Times in a row; no more of them than it takes to come to the longest. */
  #inRow = 0;
  #latestMs = 0;
  #calmSinceMs: number | undefined;

  /** Of a target that was never left alone. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The latest time, in milliseconds. */
  get latestMs(): number {
    return this.#latestMs;
  }

  /** One more time in a row, in milliseconds: more or less a tenth, at most `maxEjectMs`. */
  next(bounds: Bounds): number {
    this.#forgive(bounds);
    this.#calmSinceMs = undefined;
    const wantedMs = lengthMs(this.#inRow, bounds);
    if (this.#inRow === 0 || lengthMs(this.#inRow - 1, bounds) < bounds.maxEjectMs) this.#inRow++;
    this.#latestMs = Math.min(withinATenth(wantedMs, this.#clock), bounds.maxEjectMs);
    return this.#latestMs;
  }

  /** The target is healthy since then, on the clock's monotonic scale. */
  calm(sinceMs: number): void {
    this.#calmSinceMs = sinceMs;
  }

  /** A healthy time as long as the latest ejection takes that one back, then the one before. */
  #forgive(bounds: Bounds): void {
    if (this.#calmSinceMs === undefined) return;
    let leftMs = this.#clock.monotonicMs() - this.#calmSinceMs;
    while (this.#inRow > 0 && leftMs >= lengthMs(this.#inRow - 1, bounds)) {
      leftMs -= lengthMs(this.#inRow - 1, bounds);
      this.#inRow--;
    }
  }
}

function lengthMs(before: number, { ejectMs, maxEjectMs }: Bounds): number {
  return Math.min(ejectMs * 2 ** before, maxEjectMs);
}
