/**
 * What a table of sessions is made with.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Session } from "./session.ts";
import type { SessionStore } from "./store.ts";

/** Makes the ids that clients have, and reads them. `SessionIds` is one. */
export interface IdSealer {
  /** A new id, and the key of its record. */
  mint(session: NamedSession): { readonly id: string; readonly key: string };
  /** What an id holds; undefined for what was not made for this principal (R72, R74). */
  open(id: string, principal: string): NamedSession & { readonly key: string } | undefined;
}

/** What an id names. */
export interface NamedSession {
  /** Name of the route. */
  readonly route: string;
  /** The upstream's session id when it was made. */
  readonly upstreamId: string;
  /** When it was made, in milliseconds since 1970. */
  readonly createdMs: number;
  /** Id of the principal, where an id is made. */
  readonly principal?: string;
}

/** Limits of the table. */
export interface SessionTableLimits {
  /** Sessions at one time. */
  readonly maxSessions: number;
  /** Sessions of one principal at one time. */
  readonly maxSessionsPerPrincipal: number;
  /** How long a session may be unused before it is forgotten, in milliseconds. */
  readonly sessionIdleTimeoutMs: number;
  /** How long a session may last, in use or not, in milliseconds. */
  readonly sessionLifetimeMs: number;
  /** How long the longest idle session must have been idle to give way to a new one. */
  readonly sessionEvictIdleMs: number;
}

/** What a table works with. */
export interface SessionTableOptions {
  /** Time. */
  readonly clock: Clock;
  /** The ids. */
  readonly ids: IdSealer;
  /** Where sessions are kept. */
  readonly store: SessionStore;
  /** Bounds. */
  readonly limits: SessionTableLimits;
  /** Told of a session that was given up here and nowhere goes on: its upstream session is of no use. */
  readonly onAbandoned?: (session: Session) => void;
  /** Told of what the store could not do where nobody waits for it. */
  readonly onStoreFailure?: (error: unknown) => void;
}

/** A session to be opened. */
export interface NewSession {
  /** Name of its route. */
  readonly route: string;
  /** Id of its principal. */
  readonly principal: string;
  /** The upstream's id. */
  readonly upstreamId: string;
  /** The `initialize` message as it went upstream, where it may be sent again. */
  readonly initialize?: string | undefined;
}

/** The store is told of use at least as often as this share of the idle lifetime, and at most once a second. */
const TELL_STORE_SHARE = 10;
const MIN_TELL_STORE_MS = 1_000;
const MAX_TELL_STORE_MS = 60_000;

/**
 * How long a store has to keep what was not used, so that it is there at least as long as the table, which
 * tells it of use now and then, holds the session.
 */
export function storeIdleMs(sessionIdleTimeoutMs: number): number {
  return sessionIdleTimeoutMs + tellStoreEveryMs(sessionIdleTimeoutMs);
}

/** How often the store is told that a session is in use, in milliseconds. */
export function tellStoreEveryMs(sessionIdleTimeoutMs: number): number {
  const share = sessionIdleTimeoutMs / TELL_STORE_SHARE;
  return Math.max(MIN_TELL_STORE_MS, Math.min(share, MAX_TELL_STORE_MS));
}
