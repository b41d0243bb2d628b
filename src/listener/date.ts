/**
 * The value of the Date field, made once a second.
 *
 * @module
 */

import type { Clock } from "../clock.ts";

/** Tells the time as HTTP does (RFC 9110 section 5.6.7). */
export class HttpDate {
  readonly #clock: Clock;
  #text = "";
  #untilMs = -Infinity;

  /** By this clock. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The time, at most a second old. */
  text(): string {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#untilMs) {
      const now = this.#clock.now();
      this.#text = now.toUTCString();
      this.#untilMs = nowMs + 1_000 - now.getUTCMilliseconds();
    }
    return this.#text;
  }
}
