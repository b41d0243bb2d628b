/**
 * Who has subscribed to which resources.
 *
 * @module
 */

import { covers } from "../rpc/mod.ts";
import type { Member } from "./member.ts";

/** The subscriptions of all members. */
export class Subscriptions {
  readonly #members = new Map<string, Set<Member>>();

  /** URIs that anybody has subscribed to. */
  get uris(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** Whether anybody but `member` has subscribed to a URI. */
  othersHave(uri: string, member: Member): boolean {
    const members = this.#members.get(uri);
    return members !== undefined && members.size > (members.has(member) ? 1 : 0);
  }

  /** Notes a subscription. */
  add(uri: string, member: Member): void {
    const members = this.#members.get(uri) ?? new Set();
    this.#members.set(uri, members.add(member));
    member.subscriptions.add(uri);
  }

  /** Takes a subscription back; harmless where there is none. */
  remove(uri: string, member: Member): void {
    member.subscriptions.delete(uri);
    const members = this.#members.get(uri);
    if (members?.delete(member) && members.size === 0) this.#members.delete(uri);
  }

  /** Who has to hear of a change to `uri`: also who subscribed to what it is a part of. */
  concerned(uri: string): ReadonlySet<Member> {
    const found = new Set<Member>();
    for (const [subscribed, members] of this.#members) {
      if (covers(subscribed, uri)) { for (const member of members) found.add(member); }
    }
    return found;
  }
}
