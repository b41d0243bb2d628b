/**
 * What was used lately, and no more of it than there is room for.
 *
 * @module
 */

/** Values by their names; beyond `max` of them the one goes that was not used for longest. */
export class Latest<T> {
  readonly #max: number;
  readonly #values = new Map<string, T>();

  /** Room for `max` values. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many there are. */
  get size(): number {
    return this.#values.size;
  }

  /** The value of a name, which counts as used. */
  get(name: string): T | undefined {
    const found = this.#values.get(name);
    if (found === undefined) return undefined;
    // Behind the others, which go first.
    this.#values.delete(name);
    this.#values.set(name, found);
    return found;
  }

  /** Gives a name a value. */
  set(name: string, value: T): void {
    this.#values.delete(name);
    this.#values.set(name, value);
    if (this.#values.size <= this.#max) return;
    for (const oldest of this.#values.keys()) {
      this.#values.delete(oldest);
      break;
    }
  }

  /** Lets a name go. */
  delete(name: string): void {
    this.#values.delete(name);
  }
}
