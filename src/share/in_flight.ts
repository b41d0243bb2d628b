/**
 * The requests of all members on the one upstream session: under which id and progress token each went
 * up, and whose it is (R78).
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { detached } from "../http/mod.ts";
import { type Key, keyOf, likeType, type RpcText, textAt, withTexts } from "../rpc/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";
import type { Member } from "./member.ts";

/** Event ids of one stream that are known to be its own; the oldest are forgotten. */
const MAX_EVENT_IDS = 256;

/** One request that went up. */
export interface Asked {
  /** The POST it came with. */
  readonly exchange: Exchange;
  /** Its id as the client wrote it. */
  readonly idText: string;
  /** The key of that. */
  readonly idKey: Key;
  /** The key of the progress token that went up, and the token as the client wrote it. */
  readonly token: { readonly key: Key; readonly text: string } | undefined;
  /** The id that went up. */
  readonly upstreamId: string;
  /** Whether its answer has come. */
  answered: boolean;
}

/** One POST with requests of a member, from its first byte to the end of its answer. */
export class Exchange {
  /** Whose it is. */
  readonly member: Member;
  /** Which of the upstream's sessions, one after the other, it went to last. */
  generation = 0;
  /** Its requests by the keys of the ids that went up. */
  readonly requests = new Map<Key, Asked>();
  /** Whether it is read now; otherwise the member may take it up again. */
  open = true;
  /** What is read of the upstream. */
  body: UpstreamBody | undefined;
  readonly #eventIds = new Set<string>();

  /** A POST of `member`. */
  constructor(member: Member) {
    this.member = member;
  }

  /** The id under which its one request went up; undefined where there are several. */
  get onlyId(): string | undefined {
    const [only, another] = this.requests.values();
    return another === undefined ? only?.upstreamId : undefined;
  }

  /** Whether all its requests have their answers. */
  get answered(): boolean {
    return this.requests.values().every(({ answered }) => answered);
  }

  /** Whether the upstream may know where to go on. */
  get resumable(): boolean {
    return this.#eventIds.size > 0;
  }

  /** Notes an event id of its stream, in the form of a header field. */
  noteEventId(id: string): void {
    this.#eventIds.add(id);
    if (this.#eventIds.size > MAX_EVENT_IDS) {
      this.#eventIds.delete(this.#eventIds.keys().next().value!);
    }
  }

  /** Whether an event with this id came on its stream. */
  hasEventId(id: string): boolean {
    return this.#eventIds.has(id);
  }
}

/** Bounds of the table. */
export interface InFlightBounds {
  /** Requests of one member that wait for their answers. */
  readonly maxMemberRequests: number;
  /** Broken streams of a member that it may take up again. */
  readonly maxBrokenStreams: number;
}

/** All requests of a hub. */
export class InFlight {
  readonly #bounds: InFlightBounds;
  readonly #asked = new Map<Key, Asked>();
  readonly #tokens = new Map<Key, Asked>();
  #serial = 0;

  /** Nothing under way. */
  constructor(bounds: InFlightBounds) {
    this.#bounds = bounds;
  }

  /** Requests that wait for their answers, or whose streams are not over. */
  get size(): number {
    return this.#asked.size;
  }

  /** A number that no other id or token of the hub has. */
  serial(): number {
    return ++this.#serial;
  }

  /** A POST of a member begins. */
  begin(member: Member): Exchange {
    const exchange = new Exchange(member);
    member.exchanges.add(exchange);
    return exchange;
  }

  /**
   * A request under names of its own, as it goes up.
   *
   * @throws {ProxyError} `principal_exhausted` where the member has too many under way
   */
  rename(exchange: Exchange, message: RpcText): string {
    const { member, requests } = exchange;
    if (member.waiting >= this.#bounds.maxMemberRequests) {
      throw new ProxyError(
        "principal_exhausted",
        "This session has as many requests under way as it may; wait for an answer.",
        { headers: { "retry-after": "1" }, idText: textAt(message, ["id"]) },
      );
    }
    const idText = textAt(message, ["id"])!;
    const idKey = keyOf(idText);
    if (idKey === undefined) {
      throw new ProxyError("invalid_request", "The id must be a string or a number.");
    }
    const upstreamId = likeType(idText, this.serial());
    const tokenText = textAt(message, TOKEN);
    const newToken = keyOf(tokenText) && likeType(tokenText!, this.serial());
    const token = newToken && { key: keyOf(newToken)!, text: detached(tokenText!) };
    const key = keyOf(upstreamId)!;
    const asked: Asked = {
      exchange,
      idText: detached(idText),
      idKey,
      token: token || undefined,
      upstreamId,
      answered: false,
    };
    requests.set(key, asked);
    this.#asked.set(key, asked);
    if (asked.token !== undefined) this.#tokens.set(asked.token.key, asked);
    member.asked.set(asked.idKey, upstreamId);
    member.waiting++;
    return withTexts(
      message,
      [["id"], upstreamId],
      ...newToken ? [[TOKEN, newToken] as const] : [],
    );
  }

  /** The request that went up under an id. */
  byId(key: Key | undefined): Asked | undefined {
    return key === undefined ? undefined : this.#asked.get(key);
  }

  /** The request that went up with a progress token. */
  byToken(key: Key | undefined): Asked | undefined {
    return key === undefined ? undefined : this.#tokens.get(key);
  }

  /** Its answer is on its way to the member. */
  answered(asked: Asked): void {
    if (!asked.answered) this.#settle(asked);
  }

  /** Nobody reads it any more: it stays where the member may take it up again, and is forgotten otherwise. */
  released(exchange: Exchange): void {
    if (!exchange.open) return;
    exchange.open = false;
    exchange.body = undefined;
    if (exchange.answered || !exchange.resumable || exchange.member.gone) {
      return this.close(exchange);
    }
    const broken = [...exchange.member.exchanges].filter(({ open }) => !open);
    if (broken.length > this.#bounds.maxBrokenStreams) this.close(broken[0]!);
  }

  /** Forgets a POST and all its requests. */
  close(exchange: Exchange): void {
    exchange.open = false;
    exchange.member.exchanges.delete(exchange);
    for (const [key, asked] of exchange.requests) {
      this.#asked.delete(key);
      if (asked.token !== undefined) this.#tokens.delete(asked.token.key);
      if (!asked.answered) this.#settle(asked);
    }
  }

  #settle(asked: Asked): void {
    const { exchange: { member }, idKey, upstreamId } = asked;
    asked.answered = true;
    member.waiting--;
    // A client that uses an id twice at once has put the later request in its place.
    if (member.asked.get(idKey) === upstreamId) member.asked.delete(idKey);
  }
}

/** Where a request has its progress token. */
export const TOKEN = ["params", "_meta", "progressToken"] as const;
