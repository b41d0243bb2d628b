/**
 * Settings and bounds of shared upstream sessions.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { BackOff } from "../relay/mod.ts";

/** What sharing works with. */
export interface SharedOptions {
  /** Time and randomness. */
  readonly clock: Clock;
  /** Bounds of opening the upstream's own stream again. */
  readonly backOff: BackOff;
  /** The largest event or JSON answer that is rewritten, in bytes. */
  readonly maxEventBytes: number;
  /** How long a member may be unused before it is forgotten, in milliseconds. */
  readonly memberIdleMs: number;
  /** Members of all hubs at one time. */
  readonly maxMembers: number;
  /** The principal's id of callers without a name, who may be many. */
  readonly anonymous: string;
  /** Bounds that have a default. */
  readonly bounds?: Partial<SharedBounds>;
}

/** Bounds that hardly anybody needs to change. */
export interface SharedBounds {
  /**
   * How long an upstream session without members is kept, in milliseconds; one whose members all were unused
   * for so long gives way where another is wanted.
   */
  readonly idleMs: number;
  /** Upstream sessions at one time; `PRINCIPAL_SHARE` says how many one principal may have of them. */
  readonly maxHubs: number;
  /** Requests of one member that wait for their answers. */
  readonly maxMemberRequests: number;
  /** Requests of a server that wait for the answer of one member. */
  readonly maxServerRequests: number;
  /** Streams on which a member listens. */
  readonly maxMemberStreams: number;
  /** URIs that one member has subscribed to. */
  readonly maxMemberSubscriptions: number;
  /** Messages that wait for a member that listens. */
  readonly maxQueuedMessages: number;
  /** Bytes that wait for a member that listens. */
  readonly maxQueuedBytes: number;
  /** Messages of the proxy's own that are on their way upstream. */
  readonly maxOwnMessages: number;
  /** Broken streams of a member that it may take up again. */
  readonly maxBrokenStreams: number;
}

/** What `SharedBounds` are where nothing else is said. */
export const DEFAULT_BOUNDS: SharedBounds = {
  idleMs: 60_000,
  maxHubs: 1_000,
  maxMemberRequests: 1_000,
  maxServerRequests: 64,
  maxMemberStreams: 4,
  maxMemberSubscriptions: 1_000,
  maxQueuedMessages: 1_000,
  maxQueuedBytes: 1_048_576,
  maxOwnMessages: 256,
  maxBrokenStreams: 64,
};

/**
 * One principal has at most one in so many of `maxHubs`, and at least one: it chooses the query and the revision,
 * and so how many it asks for. Callers without a name are bounded by `maxHubs` alone.
 */
export const PRINCIPAL_SHARE = 8;

/** Options with every bound filled in. */
export interface Settings extends SharedOptions {
  /** All bounds. */
  readonly bounds: SharedBounds;
}

/** Fills in what was left out. */
export function settings(options: SharedOptions): Settings {
  return { ...options, bounds: { ...DEFAULT_BOUNDS, ...options.bounds } };
}
