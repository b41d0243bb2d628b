/**
 * What the event streams of one route work with, and what is said of each.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Era } from "../era/mod.ts";
import type { ProxyError } from "../errors.ts";
import type { EventLog } from "../event_log/mod.ts";
import type {
  BackOff,
  Inspect,
  Instances,
  LiveStreams,
  Outgoing,
  RelayLimits,
} from "../relay/mod.ts";
import type { Session, SessionTable } from "../session/mod.ts";
import type { Upstream, UpstreamCall } from "../upstream/mod.ts";
import type { Recovery } from "./recovery.ts";
import type { SessionStreamBook } from "./stream_book.ts";
import type { FrontUse } from "./use.ts";

/** What the streams of a route work with. */
export interface StreamsOptions {
  /** Where events are kept; without it nothing can be resumed. */
  readonly log: EventLog | undefined;
  /** Bounds, and time for waits that are all of a few lengths. */
  readonly limits: RelayLimits;
  /** Time for waits of any length, and randomness. */
  readonly clock: Clock;
  /** Bounds of reconnecting to the upstream. */
  readonly backOff: BackOff;
  /** Streams of all sessions. */
  readonly live: LiveStreams;
  /** The server behind the route. */
  readonly upstream: Upstream;
  /** The sessions of all routes. */
  readonly sessions: SessionTable;
  /** Makes sessions anew that the upstream has lost. */
  readonly recovery: Recovery;
  /** Streams of other instances and earlier runs; left out where there are none. */
  readonly instances?: Instances | undefined;
  /** Whether the credentials of clients go upstream. */
  readonly forwardsCredentials?: boolean | undefined;
  /** What is known of the streams of all sessions, where it outlives these; their own where it is left out. */
  readonly book?: SessionStreamBook | undefined;
  /** Keeps open what the streams work with; left out where that is never replaced. */
  readonly use?: FrontUse | undefined;
  /** The server behind the route now, which may have been replaced; undefined where there is none any more. */
  readonly current?: (() => ServedRoute | undefined) | undefined;
}

/** A server, and how its lost sessions are made anew. */
export type ServedRoute = Pick<StreamsOptions, "upstream" | "recovery" | "use">;

/** What a stream belongs to. */
export interface StreamContext {
  /** Its session, if it has one. */
  readonly session: Session | undefined;
  /** The call that it answers. */
  readonly call: UpstreamCall;
  /** The generation of that session in which the answer came; the one now where it is left out. */
  readonly generation?: number | undefined;
  /** The exact text of the request's id, where there is one request. */
  readonly idText: string | undefined;
  /** The exact texts of the ids of all requests that it answers. */
  readonly requestIds: readonly string[];
  /** Whether it has no end of its own. */
  readonly isSubscription: boolean;
  /** The era of the call. */
  readonly era: Era;
  /** What becomes of an event; left out where all pass as they came. */
  readonly inspect?: Inspect | undefined;
  /** Events ahead of all others. */
  readonly first?: readonly Outgoing[] | undefined;
  /** Told once where the client gets an error in place of the answer. */
  readonly onFailed?: ((error: ProxyError) => void) | undefined;
  /** Whether its client comes from a stream that is gone. */
  readonly isBehindGap?: boolean | undefined;
}
