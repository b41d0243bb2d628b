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

/** A deadline, and its neighbours among those that wait: a chain costs a call less than a set does. */
class Deadline implements Timer {
  readonly atMs: number;
  readonly onPassed: () => void;
  readonly #leave: (deadline: Deadline) => void;
  before: Deadline | undefined;
  after: Deadline | undefined;
  isWaiting = true;

  constructor(atMs: number, onPassed: () => void, leave: (deadline: Deadline) => void) {
    this.atMs = atMs;
    this.onPassed = onPassed;
    this.#leave = leave;
  }

  cancel(): void {
    if (this.isWaiting) this.#leave(this);
  }
}

/** Deadlines of one length: they pass in the order in which they were started. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #leave = (deadline: Deadline) => this.#takeOut(deadline);
  #first: Deadline | undefined;
  #last: Deadline | undefined;
  #size = 0;
  #timer: Timer | undefined;
  #closed = false;

  /** Deadlines `delayMs` after each start. */
  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** How many are under way. */
  get size(): number {
    return this.#size;
  }

  /** Has `onPassed` called once when the time is up; after `close`, never. */
  start(onPassed: () => void): Timer {
    if (this.#closed) return NEVER;
    const atMs = this.#clock.monotonicMs() + this.#delayMs;
    const deadline = new Deadline(atMs, onPassed, this.#leave);
    deadline.before = this.#last;
    if (this.#last === undefined) this.#first = deadline;
    else this.#last.after = deadline;
    this.#last = deadline;
    this.#size++;
    // The timer stays as it is: when it fires too early, it is set anew for who is first then.
    this.#timer ??= this.#clock.after(this.#delayMs, () => this.#fire());
    return deadline;
  }

  /** Forgets all of them and the timer: what ends late must leave no timer behind. */
  close(): void {
    this.#closed = true;
    while (this.#first !== undefined) this.#takeOut(this.#first);
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #takeOut(deadline: Deadline): void {
    const { before, after } = deadline;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    // Nobody who still has it keeps the others in memory.
    deadline.before = undefined;
    deadline.after = undefined;
    deadline.isWaiting = false;
    this.#size--;
  }

  /** A timer that has fired stays in its place until all is done: what starts meanwhile is not first. */
  #fire(): void {
    const nowMs = this.#clock.monotonicMs();
    try {
      for (let first = this.#first; first && first.atMs <= nowMs; first = this.#first) {
        this.#takeOut(first);
        first.onPassed();
      }
    } finally {
      const waitMs = Math.ceil((this.#first?.atMs ?? 0) - nowMs);
      this.#timer = this.#first && this.#clock.after(waitMs, () => this.#fire());
    }
  }
}
