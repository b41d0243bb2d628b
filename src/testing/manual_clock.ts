/**
 * A clock that tests move by hand.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";

interface Waiting {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Time that stands still until `advance`. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #waiting = new Set<Waiting>();

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
    return crypto.getRandomValues(new Uint8Array(length));
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
