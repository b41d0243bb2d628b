/**
 * Locks within one process.
 *
 * @module
 */

import type { Clock } from "../clock.ts";

/** Most locks at one time; who asks for one more does not get it. */
const MAX_LOCKS = 10_000;

/** Locks by their keys, for stores that one process alone uses. */
export class LocalLocks {
  readonly #clock: Clock;
  readonly #maxLocks: number;
  /** Until when each is held, on the clock's monotonic scale. */
  readonly #held = new Map<string, { readonly untilMs: number }>();

  /** None held. */
  constructor(clock: Clock, maxLocks = MAX_LOCKS) {
    this.#clock = clock;
    this.#maxLocks = maxLocks;
  }

  /** Takes a lock for at most `holdMs`; what gives it back, or undefined where another has it. */
  take(key: string, holdMs: number): (() => void) | undefined {
    const nowMs = this.#clock.monotonicMs();
    if ((this.#held.get(key)?.untilMs ?? 0) > nowMs) return undefined;
    if (this.#held.size >= this.#maxLocks) this.sweep();
    if (this.#held.size >= this.#maxLocks) return undefined;
    const lock = { untilMs: nowMs + holdMs };
    this.#held.set(key, lock);
    return () => {
      if (this.#held.get(key) === lock) this.#held.delete(key);
    };
  }

  /** Forgets those that were held too long. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { untilMs }] of this.#held) {
      if (untilMs <= nowMs) this.#held.delete(key);
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#held.clear();
  }
}
