/**
 * The sessions of an instance in the order in which they came to it, to be read in pages: however many there
 * are, the next one is found at once, and use does not move them.
 *
 * @module
 */

import type { Session } from "./session.ts";

/** A list whose links are in the sessions themselves; each is in one roll at most. */
export class Roll {
  #first: Session | undefined;
  #last: Session | undefined;

  /** Adds one that is in no roll, at the end. */
  add(session: Session): void {
    session.cameBefore = this.#last;
    if (this.#last === undefined) this.#first = session;
    else this.#last.cameAfter = session;
    this.#last = session;
  }

  /** Takes one out that is in it. */
  remove(session: Session): void {
    const { cameBefore: before, cameAfter: after } = session;
    if (before === undefined) this.#first = after;
    else before.cameAfter = after;
    if (after === undefined) this.#last = before;
    else after.cameBefore = before;
    session.cameBefore = session.cameAfter = undefined;
  }

  /** At most `limit` sessions that came after `session`, or the first ones. */
  page(limit: number, session?: Session): readonly Session[] {
    const found: Session[] = [];
    let next = session === undefined ? this.#first : session.cameAfter;
    for (; next !== undefined && found.length < limit; next = next.cameAfter) found.push(next);
    return found;
  }
}
