/**
 * A clock that tests move by hand, and whose randomness is the same in each run.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import { seededRandom } from "../http1/fuzz_cases.ts";

interface Waiting {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Clocks of this test file so far. */
let clocks = 0;

/** Time that stands still until `advance`; randomness that differs from clock to clock alone. */
export class ManualClock implements Clock {
  readonly #random: () => number;
  #nowMs = 0;
  readonly #waiting = new Set<Waiting>();

  /** With this seed; each clock of a test file has another one by itself. */
  constructor(seed = clocks++) {
    this.#random = seededRandom(seed);
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#waiting.size;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  now(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#nowMs);
  }

  after(delayMs: number, callback: () => void): Timer {
    const waiting: Waiting = { atMs: this.#nowMs + delayMs, callback };
    this.#waiting.add(waiting);
    return { cancel: () => void this.#waiting.delete(waiting) };
  }

  randomBytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => Math.floor(this.#random() * 256));
  }

  /** Lets `ms` pass and fires what falls due, in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#waiting].filter(({ atMs }) => atMs <= untilMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#waiting.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.callback();
    }
    this.#nowMs = untilMs;
  }
}
