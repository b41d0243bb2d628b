/**
 * Settings and bounds of sessions on channels.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Logger } from "../telemetry/mod.ts";

/** What sessions on channels work with. */
export interface ChannelUpstreamOptions {
  /** Time and randomness. */
  readonly clock: Clock;
  /** Where it is told what went wrong with a channel. */
  readonly logger: Logger;
  /** Bounds. */
  readonly limits: ChannelLimits;
  /**
   * Whether many clients share a session. What has waited then goes to the GET stream alone, because it was
   * caused by none of the requests that come later.
   */
  readonly shared?: boolean;
  /** Whether requests of 2026-07-28, which have no session, go to a channel for each principal. */
  readonly modern?: boolean;
  /** Closed when all channels are: what they were opened on. */
  readonly beneath?: { close(): Promise<void> };
}

/** Bounds of sessions on channels. */
export interface ChannelLimits {
  /** Channels at one time: each is a session, or serves the requests of a principal that have none. */
  readonly maxSessions: number;
  /** Requests of one session whose responses have not come. */
  readonly maxRequests: number;
  /** GET streams of one session. */
  readonly maxStreams: number;
  /** Messages of one server that wait until somebody can be told. */
  readonly maxWaitingMessages: number;
  /** Characters of them. */
  readonly maxWaitingCharacters: number;
  /** Longest wait for the first that comes for a request, in milliseconds. */
  readonly firstMessageMs: number;
  /** The same for the first request of a channel, whose server may have to start first. */
  readonly startMs: number;
  /** Longest silence on a stream, in milliseconds. */
  readonly streamIdleMs: number;
  /** A session without a call, stream or request under way for so long is closed, in milliseconds. */
  readonly sessionIdleMs: number;
  /** How long the longest idle session must have been idle to give way to a new one, in milliseconds. */
  readonly sessionEvictIdleMs: number;
  /** How long others wait behind a reader whose queue is full, in milliseconds. */
  readonly patienceMs: number;
}

/** Figures of all sessions. */
export interface ChannelStats {
  /** Sessions. */
  readonly sessions: number;
  /** Channels for requests that have no session. */
  readonly sessionless: number;
  /** Requests whose responses have not come. */
  readonly inFlight: number;
  /** Messages that wait until somebody can be told. */
  readonly waiting: number;
  /** Messages that could not be delivered, by method. */
  readonly dropped: Readonly<Record<string, number>>;
}
