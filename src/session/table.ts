/**
 * The table from the client's session id to the upstream's, with a cap and an idle lifetime (R82).
 *
 * The order of the map is the order of last use, so that both the idle ones and the one that gives
 * way stand at its front. Idle sessions are dropped when the table is used: no timer runs for them.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { sessionId } from "./id.ts";

/** One session, as the proxy keeps it. */
export interface Session {
  /** The id that the client has. Never sent upstream. */
  readonly id: string;
  /** The id that the upstream has. Never sent to a client (R77). */
  readonly upstreamId: string;
  /** The route that the session belongs to; it does not exist on another. */
  readonly route: string;
  /** The revision that `initialize` settled, once its answer was seen. */
  revision: string | undefined;
  /** Requests and streams under way. */
  inFlight: number;
  /** When the session was last used, on the clock's monotonic scale. */
  lastUsedMs: number;
  /** Called once when the session is forgotten, for whatever reason. */
  onEnd: (() => void) | undefined;
}

/** Limits of the table. */
export interface SessionTableOptions {
  /** Sessions at one time. */
  readonly maxSessions: number;
  /** How long a session may be unused before it is forgotten, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** How long the longest idle session must have been idle to give way to a new one. */
  readonly evictIdleMs: number;
}

/** The sessions of all routes. */
export class SessionTable {
  readonly #sessions = new Map<string, Session>();
  readonly #clock: Clock;
  readonly #options: SessionTableOptions;

  /** An empty table. */
  constructor(clock: Clock, options: SessionTableOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** How many sessions there are, idle ones that were not yet dropped included. */
  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Makes sure that one more session can be kept.
   *
   * @throws {ProxyError} `sessions_exhausted`; said before `initialize` goes upstream, so that no
   * session is made there that nobody could reach.
   */
  ensureRoom(): void {
    this.#dropIdle();
    if (this.#sessions.size < this.#options.maxSessions) return;
    const oldest = this.#oldestIdle();
    if (oldest !== undefined && this.#idleMs(oldest) >= this.#options.evictIdleMs) {
      this.close(oldest);
      return;
    }
    throw new ProxyError(
      "sessions_exhausted",
      "The proxy holds as many sessions as it may; try again later.",
      { headers: { "retry-after": "10" } },
    );
  }

  /** Keeps a new session and gives it an id of the proxy's own. */
  open(route: string, upstreamId: string): Session {
    const session: Session = {
      id: sessionId(this.#clock),
      upstreamId,
      route,
      revision: undefined,
      inFlight: 0,
      lastUsedMs: this.#clock.monotonicMs(),
      onEnd: undefined,
    };
    // Several initialize requests may have passed ensureRoom before the first was answered.
    if (this.#sessions.size >= this.#options.maxSessions) this.#dropOldest();
    this.#sessions.set(session.id, session);
    return session;
  }

  /**
   * The session that `id` names on `route`, marked as used now.
   *
   * @throws {ProxyError} `session_not_found`, the same whether the id never was, has ended, or
   * belongs to another route (R72, R74, R81).
   */
  find(route: string, id: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined || session.route !== route || this.#isIdle(session)) {
      throw new ProxyError(
        "session_not_found",
        "This session does not exist or has ended; start a new one with initialize.",
      );
    }
    this.#touch(session);
    return session;
  }

  /** Counts a request or stream of the session as under way; the result ends it, once. */
  use(session: Session): () => void {
    let ended = false;
    session.inFlight++;
    return () => {
      if (ended) return;
      ended = true;
      session.inFlight--;
      this.#touch(session);
    };
  }

  /** Forgets a session. */
  close(session: Session): void {
    if (this.#sessions.delete(session.id)) session.onEnd?.();
  }

  #touch(session: Session): void {
    session.lastUsedMs = this.#clock.monotonicMs();
    if (this.#sessions.delete(session.id)) this.#sessions.set(session.id, session);
  }

  #idleMs(session: Session): number {
    return this.#clock.monotonicMs() - session.lastUsedMs;
  }

  #isIdle(session: Session): boolean {
    return session.inFlight === 0 && this.#idleMs(session) >= this.#options.idleTimeoutMs;
  }

  /** Drops sessions past their idle lifetime; those in use are passed over. */
  #dropIdle(): void {
    for (const session of this.#sessions.values()) {
      if (this.#isIdle(session)) this.close(session);
      else if (this.#idleMs(session) < this.#options.idleTimeoutMs) return;
    }
  }

  #oldestIdle(): Session | undefined {
    for (const session of this.#sessions.values()) {
      if (session.inFlight === 0) return session;
    }
    return undefined;
  }

  #dropOldest(): void {
    const oldest = this.#oldestIdle() ?? this.#sessions.values().next().value;
    if (oldest !== undefined) this.close(oldest);
  }
}
