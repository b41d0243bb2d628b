/**
 * Waiting for something to change.
 *
 * @module
 */

/** Who waits until something is so. */
export class Waiting {
  #waiting: (() => void)[] = [];

  /** Has all who wait look again. */
  stir(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Settles when the condition holds, seen at once or behind a `stir`. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
