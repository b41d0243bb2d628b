/**
 * A table that does not grow without bounds.
 *
 * @module
 */

/** Values by keys; of too many the one that was put in first goes. */
export class BoundedTable<T> {
  readonly #values = new Map<string, T>();
  readonly #max: number;

  /** An empty table for at most `max` values. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many there are. */
  get size(): number {
    return this.#values.size;
  }

  /** The value of a key. */
  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  /** Puts a value in; it counts as the newest. */
  set(key: string, value: T): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#max) this.#values.delete(this.#values.keys().next().value!);
  }

  /** Takes a value out. */
  delete(key: string): void {
    this.#values.delete(key);
  }

  /** Takes all out. */
  clear(): void {
    this.#values.clear();
  }
}
