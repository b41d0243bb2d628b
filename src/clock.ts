/**
 * Injected time. Nothing in `src` reads the wall clock, a timer or randomness but through this
 * interface, so that tests decide when time passes.
 *
 * @module
 */

/** A running timer; `cancel` may be called any number of times, also after it has fired. */
export interface Timer {
  /** Sees to it that the timer does not fire any more. */
  cancel(): void;
}

/** Time, timers and randomness. */
export interface Clock {
  /** Milliseconds on a scale that never goes back; for durations and deadlines. */
  monotonicMs(): number;
  /** Wall-clock time for log lines. */
  now(): Date;
  /** Calls `callback` once after `delayMs`. */
  after(delayMs: number, callback: () => void): Timer;
  /** `length` bytes from a cryptographically secure source. */
  randomBytes(length: number): Uint8Array<ArrayBuffer>;
}

/** The real clock of this process. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  now: () => new Date(),
  after(delayMs, callback) {
    const id = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(id) };
  },
  randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
