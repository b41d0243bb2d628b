/**
 * The sessions that are kept for their principals: each is used by all requests of its kind at once, or by one
 * of those that the server may ask something for, where its questions do not tell which request they belong to.
 *
 * @module
 */

import type { Timer } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import { type Lease, lease } from "./lease.ts";
import type { OpenSessions } from "./open_sessions.ts";
import type { Settings } from "./options.ts";
import type { ServerSession } from "./server_session.ts";
import { isAskable, type Kind } from "./session_kind.ts";

/** A session that is kept for its principal. */
interface Kept {
  readonly session: ServerSession;
  readonly principal: string;
  readonly opened: Promise<void>;
  uses: number;
  /** How many of the uses are requests that the server may ask something for. */
  askable: number;
  idle: Timer | undefined;
}

/** Those of all principals. */
export class KeptSessions {
  readonly #settings: Settings;
  readonly #sessions: OpenSessions;
  readonly #makeRoom: () => void;
  /** In the order of last use. */
  readonly #kept = new Map<string, Kept>();
  #closed = false;

  /** None yet; `makeRoom` makes room for one more among `sessions`, or throws. */
  constructor(settings: Settings, sessions: OpenSessions, makeRoom: () => void) {
    this.#settings = settings;
    this.#sessions = sessions;
    this.#makeRoom = makeRoom;
  }

  /**
   * A session for a request.
   *
   * @throws {SessionRefused} where the server will not have it
   * @throws {ProxyError} `principal_exhausted`, `sessions_exhausted`; where the server could not be asked
   */
  async take(kind: Kind): Promise<Lease> {
    const isAsked = isAskable(kind.request);
    const key = isAsked ? this.#keyApart(kind) : kind.key;
    const kept = this.#kept.get(key) ?? this.#keep(key, kind);
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    kept.idle?.cancel();
    kept.uses++;
    if (isAsked) kept.askable++;
    try {
      await kept.opened;
    } catch (error) {
      this.#forget(key, kept);
      throw error;
    }
    return lease(kept.session, () => this.#release(key, kept, isAsked));
  }

  /** Ends the one that nobody has used for longest; false where all are in use. */
  endIdle(): boolean {
    const idle = [...this.#kept].find(([, { uses }]) => uses === 0);
    if (idle === undefined) return false;
    this.#forget(...idle);
    return true;
  }

  /** Nothing is kept any more; the sessions are still to be ended. */
  close(): void {
    this.#closed = true;
    for (const { idle } of this.#kept.values()) idle?.cancel();
    this.#kept.clear();
  }

  /**
   * The session for a request that the server may ask something for: where questions do not tell which request
   * they belong to, one in which no other such request is under way, as long as there is room for so many.
   */
  #keyApart({ key, principal }: Kind): string {
    const { asksApart, bounds: { maxPrincipalSessions } } = this.#settings;
    if (asksApart) return key;
    for (let number = 0; number < maxPrincipalSessions; number++) {
      const name = number === 0 ? key : `${key} ${number}`;
      const kept = this.#kept.get(name);
      if (kept !== undefined && kept.askable > 0) continue;
      const hasRoom = !this.#sessions.isFull && this.#of(principal).length < maxPrincipalSessions;
      return kept !== undefined || hasRoom ? name : key;
    }
    return key;
  }

  #of(principal: string): [key: string, kept: Kept][] {
    return [...this.#kept].filter(([, kept]) => kept.principal === principal);
  }

  #keep(key: string, kind: Kind): Kept {
    const { principal } = kind;
    this.#makeRoomFor(principal);
    const session = this.#sessions.add(kind, kind.request.clientInfo);
    const opened = session.open();
    const kept: Kept = { session, principal, opened, uses: 0, askable: 0, idle: undefined };
    this.#kept.set(key, kept);
    return kept;
  }

  /** @throws {ProxyError} where the principal has as many as it may, all in use */
  #makeRoomFor(principal: string): void {
    const { anonymous, bounds: { maxPrincipalSessions } } = this.#settings;
    const own = this.#of(principal);
    if (principal !== anonymous && own.length >= maxPrincipalSessions) {
      const idle = own.find(([, { uses }]) => uses === 0);
      if (idle === undefined) {
        throw new ProxyError(
          "principal_exhausted",
          "As many sessions with the server as you may have are in use; try again later.",
          { headers: { "retry-after": "10" } },
        );
      }
      this.#forget(...idle);
    }
    this.#makeRoom();
  }

  #release(key: string, kept: Kept, isAsked: boolean): void {
    kept.uses--;
    if (isAsked) kept.askable--;
    if (kept.uses > 0 || this.#closed) return;
    const { clock, bounds: { sessionIdleMs } } = this.#settings;
    kept.idle = clock.after(sessionIdleMs, () => this.#forget(key, kept));
  }

  #forget(key: string, kept: Kept): void {
    kept.idle?.cancel();
    if (this.#kept.get(key) === kept) this.#kept.delete(key);
    void this.#sessions.end(kept.session);
  }
}
