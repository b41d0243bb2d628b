/**
 * A queue on an array: both ends and the middle in constant time.
 *
 * @module
 */

/** First in, first out. */
export class Queue<T> {
  #items: T[] = [];
  #head = 0;

  /** How many there are. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The one that came `index` after the first. */
  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  /** The one that came last. */
  get last(): T | undefined {
    return this.#head < this.#items.length ? this.#items[this.#items.length - 1] : undefined;
  }

  /** Adds one at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Drops the first one. */
  shift(): void {
    this.#head++;
    // What is gone is cut off when it is half: each item is moved once on average.
    if (this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
