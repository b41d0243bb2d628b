/**
 * What one event stream of a session works with.
 *
 * @module
 */

import type { ProxyError } from "../errors.ts";
import type { EventLog } from "../event_log/mod.ts";
import type { EventStream } from "./event_stream.ts";
import type { Outgoing } from "./framing.ts";
import type { StreamDirectory, StreamEntry } from "./stream_directory.ts";
import type { StreamTraffic } from "./traffic.ts";
import type { UpstreamConnectionsOptions } from "./upstream_connections.ts";

/** What a stream works with. */
export interface EventStreamOptions extends StreamEntry, UpstreamConnectionsOptions {
  /** Where others find it; left out where there are none. */
  readonly directory?: StreamDirectory | undefined;
  /** Where events are kept. */
  readonly log: EventLog;
  /** Events ahead of all others. */
  readonly first?: readonly Outgoing[] | undefined;
  /** Counts what clients take; left out where nobody asks. */
  readonly traffic?: StreamTraffic | undefined;
  /** Told once where whoever waits for an answer gets an error in its place; left out where nobody asks. */
  readonly onFailed?: ((error: ProxyError) => void) | undefined;
  /** Told when nobody reads it any more, or when somebody does again. */
  readonly onAttended: (stream: EventStream, attended: boolean) => void;
  /** Told once when nothing more will come from upstream. */
  readonly onFinished: (stream: EventStream) => void;
  /** Told once when it is gone for good. */
  readonly onOver: (stream: EventStream) => void;
}
