/**
 * What one event stream of a session works with.
 *
 * @module
 */

import type { ProxyError } from "../errors.ts";
import type { EventLog } from "../event_log/mod.ts";
import type { SseEvent } from "../sse/mod.ts";
import type { EventStream } from "./event_stream.ts";
import type { Outgoing } from "./framing.ts";
import type { Inspect } from "./inspect.ts";
import type { RelayLimits } from "./limits.ts";
import type { Reconnect } from "./reconnect.ts";
import type { SessionNames } from "./session_names.ts";
import type { StreamDirectory, StreamEntry, StreamMark } from "./stream_directory.ts";
import type { StreamTraffic } from "./traffic.ts";

/** What a stream works with. */
export interface EventStreamOptions extends StreamEntry {
  /** Where an earlier holder has left it; left out for a new one. */
  readonly mark?: StreamMark | undefined;
  /** Where others find it; left out where there are none. */
  readonly directory?: StreamDirectory | undefined;
  /** Where events are kept. */
  readonly log: EventLog;
  /** Bounds, and time. */
  readonly limits: RelayLimits;
  /** What becomes of an event of the upstream; left out where all pass as they came. */
  readonly inspect?: Inspect | undefined;
  /** Events ahead of all others. */
  readonly first?: readonly Outgoing[] | undefined;
  /** The names of its session, asked for each connection; left out where they look like nothing else. */
  readonly names?: (() => SessionNames | undefined) | undefined;
  /** Opens the upstream stream again. */
  readonly reconnect: Reconnect;
  /**
   * What the client has to be told once the upstream stream was opened again, where nobody knows what was said
   * meanwhile, and in any case where events are `gone`; left out where nothing is.
   */
  readonly missed?: ((gone: boolean) => readonly SseEvent[]) | undefined;
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
