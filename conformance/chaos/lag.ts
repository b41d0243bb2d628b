/**
 * How long the test's own process stood still, on a machine that has too much to do: so much later its relays
 * see what the proxy has sent.
 *
 * @module
 */

const EVERY_MS = 50;

/** Longer pauses are noted, at most so many of them. */
const LEAST_MS = 20;
const MOST = 10_000;

/** Pauses of this process. */
export class Lag implements Disposable {
  readonly #pauses: { readonly untilMs: number; readonly ms: number }[] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  #lastMs = performance.now();

  constructor() {
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      const ms = nowMs - this.#lastMs - EVERY_MS;
      this.#lastMs = nowMs;
      if (ms > LEAST_MS && this.#pauses.length < MOST) this.#pauses.push({ untilMs: nowMs, ms });
    }, EVERY_MS);
  }

  /** The sum of all pauses that were over between two times, in milliseconds. */
  between(fromMs: number, untilMs: number): number {
    return this.#pauses.filter((pause) => pause.untilMs >= fromMs && pause.untilMs <= untilMs)
      .reduce((sum, { ms }) => sum + ms, 0);
  }

  /** The longest pause, in milliseconds. */
  get longestMs(): number {
    return Math.round(this.#pauses.reduce((longest, { ms }) => Math.max(longest, ms), 0));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
