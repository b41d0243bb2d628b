/**
 * What sessions on channels are given, whatever carries them.
 *
 * @module
 */

import type { ChannelUpstreamOptions } from "./channel/mod.ts";
import type { Clock } from "./clock.ts";
import type { Config, UpstreamConfig } from "./config/mod.ts";
import type { Logger } from "./telemetry/mod.ts";

/** Bounds of sessions on channels that no config needs to change. */
const CHANNEL_BOUNDS = {
  maxRequests: 1_000,
  maxStreams: 4,
  maxWaitingMessages: 1_000,
  maxWaitingCharacters: 1_048_576,
  patienceMs: 5_000,
};

/** What they are given. */
export function channelOptions(
  { timers: clock, logger, config: { limits } }: {
    readonly timers: Clock;
    readonly logger: Logger;
    readonly config: Config;
  },
  upstream: UpstreamConfig,
  maxSessions: number,
): ChannelUpstreamOptions {
  return {
    clock,
    logger,
    shared: upstream.sessions === "shared",
    limits: {
      ...CHANNEL_BOUNDS,
      maxSessions,
      firstMessageMs: upstream.headersTimeoutMs,
      startMs: upstream.stdio?.startTimeoutMs ?? upstream.headersTimeoutMs,
      streamIdleMs: upstream.streamIdleTimeoutMs,
      sessionIdleMs: limits.sessionIdleTimeoutMs,
      sessionEvictIdleMs: limits.sessionEvictIdleMs,
    },
  };
}
