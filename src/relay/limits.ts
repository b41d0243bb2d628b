/**
 * Bounds of relayed streams.
 *
 * @module
 */

import type { Clock } from "../clock.ts";

/** What streams may use. */
export interface RelayLimits {
  /** Time; one whose timers are shared. */
  readonly clock: Clock;
  /** The largest event of a stream that is looked into, in bytes. */
  readonly maxEventBytes: number;
  /** The longest silence towards a client, in milliseconds; 0 for any. */
  readonly keepAliveMs: number;
  /** How long a stream may be resumed after its client has gone, in milliseconds. */
  readonly resumeWindowMs: number;
  /** Bytes, as the event log counts them, that may come for a client that is not there. */
  readonly maxAheadBytes: number;
  /** Events that may come for a client that is not there. */
  readonly maxAheadEvents: number;
}
