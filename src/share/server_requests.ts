/**
 * Requests of the server that a member has to answer: to whom each was given, under which id.
 *
 * @module
 */

import { detached } from "../http/mod.ts";
import { type Key, keyOf, likeType, type RpcText, textAt } from "../rpc/mod.ts";
import type { Member } from "./member.ts";
import { TOKEN } from "./in_flight.ts";

/** A request that a member was given. */
export interface Given {
  /** To whom. */
  readonly member: Member;
  /** Its id as the server wrote it. */
  readonly upstreamId: string;
  /** Its id as the member got it. */
  readonly memberId: string;
  /** The key of the server's progress token, which the member gets as it is. */
  readonly tokenKey: Key | undefined;
  /** Whether it went to the member on a stream on which it listens. */
  byListening: boolean;
}

/** Elicitations whose end is told to whom they were put; the oldest are forgotten. */
const MAX_ELICITATIONS = 1_000;

/** The open requests of one server. */
export class ServerRequests {
  readonly #maxPerMember: number;
  readonly #byMemberId = new Map<Key, Given>();
  readonly #byUpstreamId = new Map<Key, Given>();
  readonly #elicited = new Map<string, Member>();
  #serial = 0;

  /** None yet, and never more than `maxPerMember` for one member. */
  constructor(maxPerMember: number) {
    this.#maxPerMember = maxPerMember;
  }

  /** Who has a request that the server sends again, having lost sight of it. */
  holder(upstreamId: string): Given | undefined {
    return this.#byUpstreamId.get(keyOf(upstreamId)!);
  }

  /** Gives a request to a member; undefined where it has as many as it may. */
  give(member: Member, message: RpcText): Given | undefined {
    if (member.given.size >= this.#maxPerMember) return undefined;
    const upstreamId = detached(textAt(message, ["id"])!);
    const given: Given = {
      member,
      upstreamId,
      memberId: likeType(upstreamId, ++this.#serial),
      tokenKey: keyOf(textAt(message, TOKEN)),
      byListening: false,
    };
    this.#byMemberId.set(keyOf(given.memberId)!, given);
    this.#byUpstreamId.set(keyOf(upstreamId)!, given);
    member.given.add(given);
    return given;
  }

  /** Takes the request that `member` answers; undefined where it was not asked that (R72). */
  take(member: Member, idText: string | undefined): Given | undefined {
    const given = this.#byMemberId.get(keyOf(idText) ?? "");
    if (given?.member !== member) return undefined;
    this.#forget(given);
    return given;
  }

  /** Takes the request that the server has withdrawn. */
  cancel(upstreamId: string | undefined): Given | undefined {
    const given = this.#byUpstreamId.get(keyOf(upstreamId) ?? "");
    if (given !== undefined) this.#forget(given);
    return given;
  }

  /** Whether a progress token is that of a request which the member was given. */
  hasToken(member: Member, tokenKey: Key | undefined): boolean {
    return tokenKey !== undefined &&
      member.given.values().some((given) => given.tokenKey === tokenKey);
  }

  /** Notes to whom an elicitation was put. */
  elicit(member: Member, elicitationId: string): void {
    this.#elicited.delete(elicitationId);
    this.#elicited.set(elicitationId, member);
    if (this.#elicited.size > MAX_ELICITATIONS) {
      this.#elicited.delete(this.#elicited.keys().next().value!);
    }
  }

  /** To whom an elicitation was put. */
  elicited(elicitationId: unknown): Member | undefined {
    return typeof elicitationId === "string" ? this.#elicited.get(elicitationId) : undefined;
  }

  /** Nobody is to be told of what was put to a member that leaves. */
  forgetElicitations(member: Member): void {
    for (const [id, whose] of this.#elicited) if (whose === member) this.#elicited.delete(id);
  }

  /** Forgets all: the session in which they were put is no more. */
  clear(): void {
    for (const given of [...this.#byMemberId.values()]) this.#forget(given);
    this.#elicited.clear();
  }

  #forget(given: Given): void {
    given.member.given.delete(given);
    this.#byMemberId.delete(keyOf(given.memberId)!);
    this.#byUpstreamId.delete(keyOf(given.upstreamId)!);
  }
}
