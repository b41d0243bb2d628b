/**
 * One change at a time of what members share.
 *
 * @module
 */

/** Changes of one thing wait for each other; those of different things do not. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `change` when all earlier ones of `what` are through, however they went. */
  async take<T>(what: string, change: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(what) ?? Promise.resolve()).then(change, change);
    this.#last.set(what, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(what) === turn) this.#last.delete(what);
    }
  }
}
