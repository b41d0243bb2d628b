/**
 * Settings and bounds of the front for stdio.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Handler } from "../http/mod.ts";
import type { JsonLimits } from "../json/mod.ts";
import type { BackOff } from "../relay/mod.ts";
import type { Logger } from "../telemetry/mod.ts";

/** Bounds that no config needs to change. */
export interface StdioLimits {
  /** Requests and notifications of the client that are under way, and as many replies; then stdin is not read on. */
  readonly maxUnderWay: number;
  /** How long stdin is not read on while none of so many requests ends, in milliseconds; then further ones are refused. */
  readonly patienceMs: number;
  /** Subscriptions of 2026-07-28 that are open; further ones are refused. */
  readonly maxSubscriptions: number;
  /** How long a message waits for the notifications ahead of it to be accepted, in milliseconds. */
  readonly orderMs: number;
  /** How long requests may take to finish once the client has closed stdin, in milliseconds. */
  readonly graceMs: number;
  /** How long the server may take to hear of the end of the session, in milliseconds. */
  readonly farewellMs: number;
}

/** What the front for stdio works with. */
export interface StdioFrontOptions {
  /** Answers requests. */
  readonly handler: Handler;
  /** The path of the route. */
  readonly path: string;
  /** The largest line of the client, in bytes. */
  readonly maxLineBytes: number;
  /** The largest message for the client, in bytes. */
  readonly maxMessageBytes: number;
  /** What JSON is accepted. */
  readonly json: JsonLimits;
  /** Waits before a stream is opened again; those of the GET stream go on beyond its `attempts`. */
  readonly backOff: BackOff;
  /** Time and randomness. */
  readonly clock: Clock;
  /** Where it is told what went wrong. */
  readonly logger: Logger;
  /** Bounds; `DEFAULT_STDIO_LIMITS` for those left out. */
  readonly limits?: Partial<StdioLimits> | undefined;
}
