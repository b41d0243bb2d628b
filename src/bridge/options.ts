/**
 * What both bridges work with.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { PeerService } from "../peers/mod.ts";
import type { BackOff } from "../relay/mod.ts";
import type { Logger } from "../telemetry/mod.ts";

/** Seals what is given out of hand; `Sealer` of `session` fills it. */
export interface StateSealer {
  /** Seals a payload for one purpose and one binding; visible ASCII. @throws {RangeError} where it is too long */
  seal(purpose: string, binding: string, payload: Uint8Array): string;
  /** The payload of a token that was sealed for them; undefined for every other text. Never throws. */
  open(purpose: string, binding: string, text: string): Uint8Array | undefined;
}

/** What both bridges work with. */
export interface BridgeOptions {
  /** Time, whose timers are shared, and randomness. */
  readonly clock: Clock;
  /** Where failures are told. */
  readonly logger: Logger;
  /** The largest message that is looked into, in bytes. */
  readonly maxEventBytes: number;
  /** Bounds of opening streams of the server again. */
  readonly backOff: BackOff;
  /** Longest silence inside a stream that is read or written here, in milliseconds. */
  readonly streamIdleMs: number;
  /** Longest wait for the first message of an answer, in milliseconds. */
  readonly firstMessageMs: number;
  /**
   * Fields with credentials for the proxy, as `withDashes` gives them, which never go upstream; none where it is left
   * out.
   */
  readonly withheld?: ReadonlySet<string>;
  /**
   * Told that the server has answered as one of this era does not; what is known of its era is forgotten and
   * found out again.
   */
  readonly onDoubt: () => void;
  /**
   * The same bridge at other instances, which have what their clients may come here for; left out where there
   * is but one.
   */
  readonly peers?: PeerService | undefined;
}
