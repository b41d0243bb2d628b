/**
 * The runs of all streams in one line, in the order in which they came: the oldest of all is found, and any one
 * taken out, without a search through the others.
 *
 * @module
 */

import type { Run } from "./stream_book.ts";

/** A line of runs, each of which is in one line at most. */
export class RunLine<P> {
  #oldest: Run<P> | undefined;
  #newest: Run<P> | undefined;

  /** The one that came first. */
  get oldest(): Run<P> | undefined {
    return this.#oldest;
  }

  /** The one that came last. */
  get newest(): Run<P> | undefined {
    return this.#newest;
  }

  /** Adds one at the end. */
  add(run: Run<P>): void {
    run.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = run;
    else this.#newest.newer = run;
    this.#newest = run;
  }

  /** Takes one out that is in it. */
  remove(run: Run<P>): void {
    if (run.older === undefined) this.#oldest = run.newer;
    else run.older.newer = run.newer;
    if (run.newer === undefined) this.#newest = run.older;
    else run.newer.older = run.older;
    // A run that is garbage but old would otherwise hold all that came after it until it is collected.
    run.older = run.newer = undefined;
  }

  /** Empties it. */
  clear(): void {
    this.#oldest = this.#newest = undefined;
  }
}
