/**
 * How long to wait before an upstream stream is opened again. Pure.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";

/** Bounds of the waits. */
export interface BackOff {
  /** How often it is tried in a row without an event in between. */
  readonly attempts: number;
  /** The first wait is random up to this many milliseconds; each further one up to twice the one before. */
  readonly initialDelayMs: number;
  /** The longest random wait, in milliseconds. */
  readonly maxDelayMs: number;
  /** How long a stream is polled on which nothing comes, in milliseconds. */
  readonly maxSilentMs: number;
}

/** The longest wait that a server may ask for with `retry`, in milliseconds: whoever waits longer seems gone. */
export const MAX_RETRY_MS = 300_000;

/** The least time between two polls of a server that does not say when to come back, in milliseconds. */
export const POLL_MS = 1_000;

/** The same of one that says so: `retry: 0` is no reason to ask it without a pause. */
export const MIN_POLL_MS = 100;

/**
 * The wait before an attempt, in milliseconds: what the server asked for with `retry` (2025-11-25
 * basic/transports: "The client MUST respect the retry field"), and a random part, so that many
 * streams that broke together do not come back together (R69).
 *
 * @param attempt 0 for the first
 * @param retryMs what the server asked for, if it did
 * @param random in [0, 1)
 */
export function delayBefore(
  attempt: number,
  retryMs: number | undefined,
  random: number,
  { initialDelayMs, maxDelayMs }: Pick<BackOff, "initialDelayMs" | "maxDelayMs">,
): number {
  const spreadMs = Math.min(initialDelayMs * 2 ** attempt, maxDelayMs);
  return Math.min(retryMs ?? 0, MAX_RETRY_MS) + Math.floor(random * spreadMs);
}

/**
 * The polls of one stream: the server ends its connection as it should, and has a client ask again (2025-11-25
 * basic/transports, "Sending Messages to the Server" 6). They are no failed attempts, so that time bounds them.
 */
export class Polls {
  readonly #backOff: BackOff;
  #sinceMs: number | undefined;
  /** When the last one was due. */
  #lastMs = -Infinity;

  /** There was none. */
  constructor(backOff: BackOff) {
    this.#backOff = backOff;
  }

  /** Something came. */
  delivered(): void {
    this.#sinceMs = undefined;
  }

  /**
   * The wait before the next poll, in milliseconds.
   *
   * @param random in [0, 1)
   * @throws {ProxyError} `upstream_timeout` where nothing has come for too long
   */
  delay(nowMs: number, retryMs: number | undefined, random: number): number {
    const { maxSilentMs } = this.#backOff;
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs >= maxSilentMs) {
      const sentence = `The upstream server was polled for ${maxSilentMs} ms and said nothing.`;
      throw new ProxyError("upstream_timeout", sentence);
    }
    const apartMs = retryMs === undefined ? POLL_MS : MIN_POLL_MS;
    const askedMs = delayBefore(0, retryMs, random, this.#backOff);
    const delayMs = Math.max(askedMs, this.#lastMs + apartMs - nowMs);
    this.#lastMs = nowMs + delayMs;
    return delayMs;
  }
}
