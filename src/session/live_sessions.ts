/**
 * The sessions that an instance holds, and in what order they were last used.
 *
 * @module
 */

import { Roll } from "./roll.ts";
import type { Session } from "./session.ts";
import { Place, UseOrder } from "./use_order.ts";

/** What is held of a principal. */
interface Owner {
  count: number;
  /** Those of its sessions that have nothing under way. */
  readonly unused: UseOrder<Session>;
}

/** What is held of a session. */
interface Held {
  readonly session: Session;
  readonly owner: Owner;
  /** Among all sessions with something under way, or all without. */
  readonly place: Place<Session>;
  /** Among those of its principal with nothing under way. */
  readonly ownPlace: Place<Session>;
}

/**
 * Sessions by their ids and keys, how many each principal has, and those that were unused for longest: apart
 * for sessions with something under way, so that nobody has to walk over them.
 */
export class LiveSessions implements Iterable<Session> {
  readonly #byId = new Map<string, Held>();
  readonly #byKey = new Map<string, Session>();
  readonly #owners = new Map<string, Owner>();
  readonly #unused = new UseOrder<Session>();
  readonly #inUse = new UseOrder<Session>();
  readonly #roll = new Roll();

  /** How many there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** The one that was not used for longest, among those with nothing under way. */
  get longestUnused(): Session | undefined {
    return this.#unused.first;
  }

  /** The one that was not looked at for longest, among those with something under way. */
  get longestInUse(): Session | undefined {
    return this.#inUse.first;
  }

  /** The one of a principal that was not used for longest, among those with nothing under way. */
  longestUnusedOf(principal: string): Session | undefined {
    return this.#owners.get(principal)?.unused.first;
  }

  /** In the order in which they were added; may be changed meanwhile. */
  *[Symbol.iterator](): Iterator<Session> {
    for (const { session } of this.#byId.values()) yield session;
  }

  /** The one with this id of a client. */
  get(id: string): Session | undefined {
    return this.#byId.get(id)?.session;
  }

  /** The one whose record has this key. */
  byKey(key: string): Session | undefined {
    return this.#byKey.get(key);
  }

  /** How many sessions of a principal there are. */
  countOf(principal: string): number {
    return this.#owners.get(principal)?.count ?? 0;
  }

  /** How many principals have sessions. */
  get principals(): number {
    return this.#owners.size;
  }

  /** See `Roll.page`. */
  page(limit: number, after?: Session): readonly Session[] {
    return this.#roll.page(limit, after);
  }

  /** Adds one, as used now. */
  add(session: Session): void {
    this.#roll.add(session);
    let owner = this.#owners.get(session.principal);
    if (owner === undefined) {
      owner = { count: 0, unused: new UseOrder() };
      this.#owners.set(session.principal, owner);
    }
    owner.count++;
    const [place, ownPlace] = [new Place(session), new Place(session)];
    this.#byId.set(session.id, { session, owner, place, ownPlace });
    this.#byKey.set(session.key, session);
    this.used(session);
  }

  /** One that is held has been used now, or has something under way now, or nothing any more. */
  used(session: Session): void {
    const { owner, place, ownPlace } = this.#byId.get(session.id)!;
    if (session.inFlight > 0) {
      this.#inUse.putLast(place);
      ownPlace.leave();
    } else {
      this.#unused.putLast(place);
      owner.unused.putLast(ownPlace);
    }
  }

  /** Takes one that is held out. */
  remove(session: Session): void {
    const { owner, place, ownPlace } = this.#byId.get(session.id)!;
    this.#roll.remove(session);
    place.leave();
    ownPlace.leave();
    this.#byId.delete(session.id);
    this.#byKey.delete(session.key);
    if (--owner.count === 0) this.#owners.delete(session.principal);
  }
}
