/**
 * The pages about sessions: who is connected, since when, and what has passed.
 *
 * Of a session they tell the key of its record, from which no id can be made, and never an id: neither the
 * client's nor the upstream's (R96).
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import type { StreamKind, StreamTraffic } from "../relay/mod.ts";
import type { Session, SessionState, SessionTable, SessionTraffic } from "../session/mod.ts";
import { type ClientInfo, clientInfo } from "./client_info.ts";

/** Sessions on one page, at most. */
export const MAX_SESSIONS_ON_PAGE = 100;

/** Streams that are told of one session, the oldest first; `traffic.streams` tells how many there are. */
export const MAX_STREAMS_TOLD = 100;

/** Where the pages look. */
export interface SessionPagesOptions {
  /** The sessions of all routes. */
  readonly sessions: Pick<SessionTable, "size" | "byKey" | "page">;
  /** The streams of a session that are held here, the oldest first. */
  readonly streamsOf: (session: Session) => Iterable<StreamTraffic>;
  /** Name of a principal; undefined where it is not known. */
  readonly nameOf: (principal: string) => string | undefined;
  /** Time. */
  readonly clock: Clock;
}

/** What is told of a session. All times are ISO 8601 in UTC. */
export interface ToldSession {
  /** What it is asked for by at `/sessions/KEY`. */
  readonly key: string;
  /** Name of its route. */
  readonly route: string;
  /** Name of its principal; null for one that is not known any more. */
  readonly principal: string | null;
  /** Where it is in its life. */
  readonly state: SessionState;
  /** The revision, once it is settled. */
  readonly revision: string | null;
  /** The client by its own word; null where it cannot be told. */
  readonly client: ClientInfo | null;
  /** When it began. */
  readonly since: string;
  /** When a request of it last came or ended at this instance. */
  readonly lastUsed: string;
  /** Whole seconds since then; 0 while something is under way. */
  readonly idleSeconds: number;
  /** Requests and streams under way. */
  readonly inFlight: number;
  /** What has passed at this instance. */
  readonly traffic: SessionTraffic;
}

/** What is told of a stream. */
export interface ToldStream {
  /** What it is. */
  readonly kind: StreamKind;
  /** When it began at this instance. */
  readonly since: string;
  /** Whether a client reads it. */
  readonly attached: boolean;
  /** Events that clients have taken; null where it passes as bytes. */
  readonly events: number | null;
  /** Bytes that clients have taken. */
  readonly bytes: number;
}

/** One page of the sessions. */
export interface ToldSessions {
  /** How many there are. */
  readonly total: number;
  /** Those of this page, in the order in which they came to this instance. */
  readonly sessions: readonly ToldSession[];
  /** The `after` of the next page; null on the last one. */
  readonly next: string | null;
}

/** Snapshots of the sessions. A page costs the same however many sessions there are. */
export class SessionPages {
  readonly #options: SessionPagesOptions;

  /** Pages about these sessions. */
  constructor(options: SessionPagesOptions) {
    this.#options = options;
  }

  /**
   * One page: `?limit=` sessions behind the one with the key `?after=`.
   *
   * @throws {ProxyError} `bad_request`, `session_not_found`
   */
  list(query: string): ToldSessions {
    const { sessions } = this.#options;
    const asked = new URLSearchParams(query);
    const limit = limitOf(asked.get("limit"));
    const after = asked.get("after");
    const from = after === null ? undefined : this.#find(after);
    // One more than is told shows whether there is another page.
    const found = sessions.page(limit + 1, from);
    const told = found.slice(0, limit);
    return {
      total: sessions.size,
      sessions: told.map((session) => this.#tell(session)),
      next: found.length > limit ? told.at(-1)!.key : null,
    };
  }

  /**
   * One session and its streams.
   *
   * @throws {ProxyError} `session_not_found`
   */
  one(key: string): ToldSession & { readonly streams: readonly ToldStream[] } {
    const session = this.#find(key);
    const streams: ToldStream[] = [];
    for (const stream of this.#options.streamsOf(session)) {
      if (streams.length === MAX_STREAMS_TOLD) break;
      streams.push(tellStream(stream));
    }
    return { ...this.#tell(session), streams };
  }

  #find(key: string): Session {
    const session = this.#options.sessions.byKey(key);
    if (session !== undefined) return session;
    throw new ProxyError(
      "session_not_found",
      "No session at this instance has this key, or it has ended; start again at /sessions.",
    );
  }

  #tell(session: Session): ToldSession {
    const { clock, nameOf } = this.#options;
    const { key, route, principal, state, revision, record, inFlight, traffic } = session;
    const idleMs = Math.max(0, clock.monotonicMs() - session.lastUsedMs);
    return {
      key,
      route,
      principal: nameOf(principal) ?? null,
      state,
      revision: revision ?? null,
      client: clientInfo(record.initialize),
      since: isoTime(record.createdMs),
      lastUsed: isoTime(clock.now().getTime() - idleMs),
      idleSeconds: inFlight > 0 ? 0 : Math.floor(idleMs / 1_000),
      inFlight,
      traffic,
    };
  }
}

function limitOf(text: string | null): number {
  if (text === null) return MAX_SESSIONS_ON_PAGE;
  const limit = /^[0-9]{1,3}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_SESSIONS_ON_PAGE) return limit;
  throw new ProxyError(
    "bad_request",
    `limit has to be a whole number from 1 to ${MAX_SESSIONS_ON_PAGE}.`,
  );
}

function tellStream(stream: StreamTraffic): ToldStream {
  const { kind, sinceMs, attended, countsEvents, events, bytes } = stream;
  return {
    kind,
    since: isoTime(sinceMs),
    attached: attended,
    events: countsEvents ? events : null,
    bytes,
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
