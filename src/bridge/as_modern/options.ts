/**
 * Settings and bounds of the bridge for modern clients.
 *
 * @module
 */

import type { BridgeOptions, StateSealer } from "../options.ts";

/** What is said of results that may be cached (2026-07-28 server/utilities/caching). */
export interface CacheHints {
  /** How long a result is fresh, in milliseconds, 0 or more. */
  readonly ttlMs: number;
  /** Who may keep it. */
  readonly cacheScope: "private" | "public";
}

/** What the bridge works with. */
export interface AsModernOptions extends BridgeOptions {
  /** Seals `requestState`. */
  readonly seal: StateSealer;
  /** Id of the principal that stands for everybody who is not told apart. */
  readonly anonymous: string;
  /** Whether one upstream session may serve requests of different anonymous callers. */
  readonly sharesSessions: boolean;
  /**
   * Whether the server asks on the stream of the request that it asks for, as over Streamable HTTP, and not on
   * one stream for all, as over stdio and HTTP+SSE. Yes where it is left out.
   */
  readonly asksApart?: boolean;
  /** What is said of results that may be cached; 0 and private where it is left out. */
  readonly list?: CacheHints;
  /** Bounds that differ from `DEFAULT_BOUNDS`. */
  readonly bounds?: Partial<AsModernBounds>;
}

/** Bounds; each has a test. */
export interface AsModernBounds {
  /** Upstream sessions in all, those in stock included. */
  readonly maxSessions: number;
  /** Upstream sessions of one principal; those of anonymous callers are bounded by `maxSessions` alone. */
  readonly maxPrincipalSessions: number;
  /** A session that nobody uses is ended after so long, in milliseconds. */
  readonly sessionIdleMs: number;
  /** Initialised sessions that are kept ready for the next anonymous callers of one kind. */
  readonly stockSize: number;
  /** Such sessions of all kinds together. */
  readonly maxStock: number;
  /** A session in stock that nobody takes is ended after so long, in milliseconds. */
  readonly stockIdleMs: number;
  /** Requests of one session that wait for their answers. */
  readonly maxRequests: number;
  /** Requests in all whose clients have been asked for input and have not come back. */
  readonly maxHeld: number;
  /** Such requests of one principal; those of anonymous callers are bounded by `maxHeld` alone. */
  readonly maxPrincipalHeld: number;
  /** How long such a request waits for its client, in milliseconds. */
  readonly holdMs: number;
  /** What the server says meanwhile is kept up to so many characters; then it is read no further. */
  readonly maxHeldCharacters: number;
  /** Questions of the server that one request may have open. */
  readonly maxQuestions: number;
  /** Streams of `subscriptions/listen` in all. */
  readonly maxListeners: number;
  /** Such streams of one principal; those of anonymous callers are bounded by `maxListeners` alone. */
  readonly maxPrincipalListeners: number;
  /** Resources that one such stream may name. */
  readonly maxSubscriptions: number;
  /** Messages that may wait for the reader of such a stream. */
  readonly maxQueuedMessages: number;
  /** Bytes of them. */
  readonly maxQueuedBytes: number;
  /** Own messages under way to one server session that nobody waits for; further ones are dropped. */
  readonly maxAside: number;
  /** Characters of the capabilities that a client declares. */
  readonly maxCapabilityCharacters: number;
  /** Kinds of sessions whose tools are remembered, for the header fields of calls; the newest ones. */
  readonly maxToolLists: number;
  /** Tools of one kind of session that are remembered; fields of calls of others are not checked. */
  readonly maxTools: number;
  /** Pages of a list of tools that the bridge asks for of its own. */
  readonly maxToolPages: number;
  /** The head of a session's GET stream is waited for so long before its first request, in milliseconds. */
  readonly listenHeadMs: number;
  /** What the user was to open (-32042) is waited for so long before the request is sent again, in milliseconds. */
  readonly elicitationMs: number;
  /** `close` waits so long for sessions to be ended at the server, in milliseconds. */
  readonly closeMs: number;
}

/** Bounds where nothing else is said. */
export const DEFAULT_BOUNDS: AsModernBounds = {
  maxSessions: 1_000,
  maxPrincipalSessions: 32,
  sessionIdleMs: 600_000,
  stockSize: 2,
  maxStock: 64,
  stockIdleMs: 60_000,
  maxRequests: 1_000,
  maxHeld: 1_000,
  maxPrincipalHeld: 32,
  holdMs: 300_000,
  maxHeldCharacters: 262_144,
  maxQuestions: 64,
  maxListeners: 1_000,
  maxPrincipalListeners: 64,
  maxSubscriptions: 1_000,
  maxQueuedMessages: 1_000,
  maxQueuedBytes: 1_048_576,
  maxAside: 256,
  maxCapabilityCharacters: 16_384,
  maxToolLists: 256,
  maxTools: 10_000,
  maxToolPages: 100,
  listenHeadMs: 500,
  elicitationMs: 5_000,
  closeMs: 5_000,
};

/** Options with every bound and hint filled in. */
export interface Settings extends AsModernOptions {
  /** Whether a question comes on the stream of its request. */
  readonly asksApart: boolean;
  /** What is said of results that may be cached. */
  readonly list: CacheHints;
  /** Bounds. */
  readonly bounds: AsModernBounds;
}

/** Fills in what was left out. */
export function settings(options: AsModernOptions): Settings {
  return {
    ...options,
    asksApart: options.asksApart ?? true,
    list: options.list ?? { ttlMs: 0, cacheScope: "private" },
    bounds: { ...DEFAULT_BOUNDS, ...options.bounds },
  };
}

/** Figures for the admin pages. */
export interface AsModernStats {
  /** Upstream sessions, those in stock included. */
  readonly sessions: number;
  /** Those of them that are ready for anonymous callers. */
  readonly stock: number;
  /** Requests whose clients wait for an answer. */
  readonly inFlight: number;
  /** Requests whose clients have been asked for input and have not come back. */
  readonly held: number;
  /** Streams of `subscriptions/listen`. */
  readonly listening: number;
  /** Messages that could not be delivered, by method. */
  readonly dropped: Readonly<Record<string, number>>;
}
