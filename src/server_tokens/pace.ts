/**
 * How soon what has failed may be tried again. Pure.
 *
 * @module
 */

/** The wait behind the first failure, in milliseconds. */
export const FIRST_WAIT_MS = 1_000;
/** The longest wait, in milliseconds. */
export const MAX_WAIT_MS = 60_000;

/** The longest wait that is had for the asking, in milliseconds. */
export const MAX_ASKED_MS = 300_000;

/** Waits that double with each failure in a row. */
export class Pace {
  #inRow = 0;
  #sinceMs = 0;
  #askedMs = 0;

  /**
   * It has failed, at a time of the clock's monotonic scale.
   *
   * @param askedMs how long it wants to be left alone, in milliseconds
   */
  failed(nowMs: number, askedMs = 0): void {
    if (this.#doubledMs() < MAX_WAIT_MS) this.#inRow++;
    this.#askedMs = Math.min(askedMs, MAX_ASKED_MS);
    this.#sinceMs = nowMs;
  }

  /** The next failure is a first one. */
  calm(): void {
    this.#inRow = 0;
  }

  /** How long it is still too early, in milliseconds; 0 where it is not. */
  waitMs(nowMs: number): number {
    // In this order nothing is added by rounding: no second too many is told.
    return Math.max(0, this.#lengthMs() - (nowMs - this.#sinceMs));
  }

  #lengthMs(): number {
    return this.#inRow === 0 ? 0 : Math.max(this.#doubledMs(), this.#askedMs);
  }

  #doubledMs(): number {
    if (this.#inRow === 0) return 0;
    return Math.min(FIRST_WAIT_MS * 2 ** (this.#inRow - 1), MAX_WAIT_MS);
  }
}

/** Keys whose waits are kept; the one that has failed longest ago is forgotten first. */
export const MAX_KEYS = 32;

/** A pace for each of some keys. */
export class Paces {
  readonly #paces = new Map<string, Pace>();

  /** What has this key has failed, at a time of the clock's monotonic scale. */
  failed(key: string, nowMs: number): void {
    const pace = this.#paces.get(key) ?? new Pace();
    pace.failed(nowMs);
    this.#paces.delete(key);
    this.#paces.set(key, pace);
    const [oldest = key] = this.#paces.keys();
    if (this.#paces.size > MAX_KEYS) this.#paces.delete(oldest);
  }

  /** How long it is still too early for what has this key, in milliseconds; 0 where it is not. */
  waitMs(key: string, nowMs: number): number {
    return this.#paces.get(key)?.waitMs(nowMs) ?? 0;
  }
}
