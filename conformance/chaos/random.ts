/**
 * Random numbers that a seed decides.
 *
 * @module
 */

/** A source of random numbers (mulberry32). */
export class Random {
  #state: number;

  /** @param seed any whole number */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** The next number, from 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A number between two others. */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** A whole number between two others, both of them included. */
  whole(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1));
  }

  /** One of a list, which must not be empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.whole(0, list.length - 1)]!;
  }

  /** Whether something that is so likely happens. */
  chance(likelihood: number): boolean {
    return this.next() < likelihood;
  }

  /** A source of its own, which what others draw does not change. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 32));
  }
}
