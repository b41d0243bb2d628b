/**
 * Many deadlines of one length with one timer between them.
 *
 * Setting and clearing a timer of the runtime for each request costs more than reading its head does.
 *
 * @module
 */

import type { Clock, Timer } from "./clock.ts";

/** Most lengths of time that share timers; of further ones each has its own. */
const MAX_LENGTHS = 64;

/**
 * A clock on which timers of the same length share one: for lengths that come again and again and are
 * nearly always cancelled. `close` forgets all that are set, and those that come later.
 */
export function sharedTimers(clock: Clock): Clock & { close(): void } {
  const lengths = new Map<number, Deadlines>();
  let closed = false;
  return {
    monotonicMs: () => clock.monotonicMs(),
    now: () => clock.now(),
    randomBytes: (length) => clock.randomBytes(length),
    after(delayMs, callback) {
      let deadlines = lengths.get(delayMs);
      if (closed) return NEVER;
      if (deadlines === undefined) {
        if (lengths.size >= MAX_LENGTHS) return clock.after(delayMs, callback);
        deadlines = new Deadlines(clock, delayMs);
        lengths.set(delayMs, deadlines);
      }
      return deadlines.start(callback);
    },
    close() {
      closed = true;
      for (const deadlines of lengths.values()) deadlines.close();
    },
  };
}

/** A deadline that is not kept. */
const NEVER: Timer = { cancel: () => {} };

/** A deadline that has not passed. */
interface Waiting {
  readonly atMs: number;
  readonly onPassed: () => void;
}

/** Deadlines of one length: they pass in the order in which they were started. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #waiting = new Set<Waiting>();
  #timer: Timer | undefined;
  #closed = false;

  /** Deadlines `delayMs` after each start. */
  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** How many are under way. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Has `onPassed` called once when the time is up; after `close`, never. */
  start(onPassed: () => void): Timer {
    if (this.#closed) return NEVER;
    const waiting = { atMs: this.#clock.monotonicMs() + this.#delayMs, onPassed };
    this.#waiting.add(waiting);
    this.#timer ??= this.#clock.after(this.#delayMs, () => this.#fire());
    // The timer stays as it is: when it fires too early, it is set anew for who is first then.
    return { cancel: () => void this.#waiting.delete(waiting) };
  }

  /** Forgets all of them and the timer: what ends late must leave no timer behind. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (const waiting of this.#waiting) {
      if (waiting.atMs > nowMs) {
        // A deadline that passed may have started another, and with it the timer.
        this.#timer ??= this.#clock.after(Math.ceil(waiting.atMs - nowMs), () => this.#fire());
        return;
      }
      this.#waiting.delete(waiting);
      waiting.onPassed();
    }
  }
}
