/**
 * Settings and bounds of the bridge for session-era clients.
 *
 * @module
 */

import type { Upstream } from "../../upstream/mod.ts";
import type { BridgeOptions } from "../options.ts";

/** What the bridge for session-era clients works with. */
export interface AsSessionOptions extends BridgeOptions {
  /** Sessions at one time. */
  readonly maxSessions: number;
  /** A session without a call, stream or request under way for so long is ended, in milliseconds. */
  readonly sessionIdleMs: number;
  /** How long a request may be sent again and again that asks its client nothing, in milliseconds. */
  readonly pollingMs: number;
  /** Bounds that have a default. */
  readonly limits?: Partial<AsSessionLimits>;
}

/** Bounds that hardly anybody needs to change. */
export interface AsSessionLimits {
  /** Characters of what a client says of itself, and of what it can do: both go with each of its requests. */
  readonly maxClientCharacters: number;
  /** Requests of one session that wait for their responses. */
  readonly maxRequests: number;
  /** GET streams of one session. */
  readonly maxStreams: number;
  /** URIs that one session has subscribed to. */
  readonly maxSubscriptions: number;
  /** Questions of the server that wait for answers of one session. */
  readonly maxQuestions: number;
  /** How often one request may be sent again with the answers to questions. */
  readonly maxRounds: number;
  /** Longest wait for the answers to the questions of one round, in milliseconds. */
  readonly answerMs: number;
  /** Messages of the server that wait for a GET stream of one session. */
  readonly maxWaitingMessages: number;
  /** Characters of them. */
  readonly maxWaitingCharacters: number;
  /** Answers to `server/discover`, and lists of tools, that are kept at one time. */
  readonly maxKept: number;
  /** Tools of one list whose header parameters are known. */
  readonly maxTools: number;
  /** Pages of one list of tools that are asked for. */
  readonly maxToolPages: number;
  /** Longest time for all of them, in milliseconds; a call waits for it half of its own time at most. */
  readonly toolListMs: number;
  /** How long GET waits for the server's acknowledgment before its stream begins, in milliseconds. */
  readonly listenWaitMs: number;
  /** How long a subscription that was replaced is read for what was still on its way, in milliseconds. */
  readonly overlapMs: number;
}

/** What `AsSessionLimits` are where nothing else is said. */
export const DEFAULT_LIMITS: AsSessionLimits = {
  maxClientCharacters: 16_384,
  maxRequests: 1_000,
  maxStreams: 4,
  maxSubscriptions: 1_000,
  maxQuestions: 64,
  maxRounds: 16,
  answerMs: 600_000,
  maxWaitingMessages: 1_000,
  maxWaitingCharacters: 1_048_576,
  maxKept: 256,
  maxTools: 10_000,
  maxToolPages: 100,
  toolListMs: 60_000,
  listenWaitMs: 2_000,
  overlapMs: 250,
};

/** Options with every bound filled in. */
export interface Settings extends AsSessionOptions {
  /** All bounds. */
  readonly limits: AsSessionLimits;
}

/** Fills in what was left out. */
export function settings(options: AsSessionOptions): Settings {
  return { ...options, limits: { ...DEFAULT_LIMITS, ...options.limits } };
}

/** Figures of the bridge. */
export interface SessionBridgeStats {
  /** Sessions. */
  readonly sessions: number;
  /** Sessions for which a `subscriptions/listen` is open. */
  readonly listening: number;
  /** Requests whose responses have not come. */
  readonly inFlight: number;
  /** Questions of the server that wait for answers. */
  readonly questions: number;
  /** Messages that wait for a GET stream. */
  readonly waiting: number;
  /** Messages that could not be delivered, by method. */
  readonly dropped: Readonly<Record<string, number>>;
}

/** A modern server that looks like one of the session era. */
export interface SessionBridge extends Upstream {
  /** What is going on. */
  stats(): SessionBridgeStats;
}
