/**
 * How long a target takes to answer: the median of its latest times to the head of an answer.
 *
 * @module
 */

/** So many times are kept. */
export const KEPT_TIMES = 64;

/** Fewer times say nothing. */
export const ENOUGH_TIMES = 20;

/** The median is found anew with each so many times: sorting for each call would cost too much. */
export const JUDGED_EVERY = 8;

/** The latest times of one target. */
export class Latencies {
  readonly #times = new Float64Array(KEPT_TIMES);
  #count = 0;
  #medianMs: number | null = null;

  /** The median as it was found last, in milliseconds; null where there are too few times. */
  get medianMs(): number | null {
    return this.#medianMs;
  }

  /** One time more, in milliseconds; tells whether the median was found anew. */
  add(ms: number): boolean {
    this.#times[this.#count % KEPT_TIMES] = ms;
    this.#count++;
    if (this.#count < ENOUGH_TIMES || (this.#count - ENOUGH_TIMES) % JUDGED_EVERY !== 0) {
      return false;
    }
    this.#medianMs = median(this.#times.slice(0, Math.min(this.#count, KEPT_TIMES)));
    return true;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#count = 0;
    this.#medianMs = null;
  }
}

/** The number in the middle of some, which are put in order; of two, the mean. */
export function median(numbers: Float64Array): number {
  numbers.sort();
  const middle = numbers.length >> 1;
  if (numbers.length % 2 === 1) return numbers[middle]!;
  return (numbers[middle - 1]! + numbers[middle]!) / 2;
}
