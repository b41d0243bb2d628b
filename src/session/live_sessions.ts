/**
 * The sessions that an instance holds, in the order of their last use.
 *
 * @module
 */

import { Roll } from "./roll.ts";
import type { Session } from "./session.ts";

/** Sessions by their ids and keys, the longest unused first, and how many each principal has. */
export class LiveSessions implements Iterable<Session> {
  readonly #byId = new Map<string, Session>();
  readonly #byKey = new Map<string, Session>();
  readonly #ofPrincipal = new Map<string, number>();
  readonly #roll = new Roll();

  /** How many there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** The one that was not used for longest. */
  get oldest(): Session | undefined {
    return this.#byId.values().next().value;
  }

  /** The one that was not used for longest, among those with nothing under way. */
  oldestUnused(): Session | undefined {
    return this.#byId.values().find(({ inFlight }) => inFlight === 0);
  }

  /** The longest unused first; may be changed meanwhile. */
  [Symbol.iterator](): Iterator<Session> {
    return this.#byId.values();
  }

  /** The one with this id of a client. */
  get(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  /** The one whose record has this key. */
  byKey(key: string): Session | undefined {
    return this.#byKey.get(key);
  }

  /** How many sessions of a principal there are. */
  countOf(principal: string): number {
    return this.#ofPrincipal.get(principal) ?? 0;
  }

  /** How many principals have sessions. */
  get principals(): number {
    return this.#ofPrincipal.size;
  }

  /** See `Roll.page`. */
  page(limit: number, after?: Session): readonly Session[] {
    return this.#roll.page(limit, after);
  }

  /** Adds one, as used now. */
  add(session: Session): void {
    this.#roll.add(session);
    this.#byId.set(session.id, session);
    this.#byKey.set(session.key, session);
    this.#ofPrincipal.set(session.principal, this.countOf(session.principal) + 1);
  }

  /** One that is held has been used now. */
  used(session: Session): void {
    this.#byId.delete(session.id);
    this.#byId.set(session.id, session);
  }

  /** Takes one that is held out. */
  remove(session: Session): void {
    this.#roll.remove(session);
    this.#byId.delete(session.id);
    this.#byKey.delete(session.key);
    const left = this.countOf(session.principal) - 1;
    if (left > 0) this.#ofPrincipal.set(session.principal, left);
    else this.#ofPrincipal.delete(session.principal);
  }
}
