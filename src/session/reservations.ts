/**
 * Room that is kept for sessions on their way: their `initialize` is with the upstream, and what it opens there
 * has to find its place here (R85).
 *
 * @module
 */

/** Places that are spoken for, in all and of each principal. */
export class Reservations {
  readonly #counts = new Map<string, number>();
  #size = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** How many a principal has. */
  countOf(principal: string): number {
    return this.#counts.get(principal) ?? 0;
  }

  /** Keeps one place; the result lets go of it, once. */
  take(principal: string): () => void {
    let isTaken = true;
    this.#add(principal, 1);
    return () => {
      if (isTaken) this.#add(principal, -1);
      isTaken = false;
    };
  }

  #add(principal: string, count: number): void {
    this.#size += count;
    const total = this.countOf(principal) + count;
    if (total === 0) this.#counts.delete(principal);
    else this.#counts.set(principal, total);
  }
}
