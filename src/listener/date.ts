/**
 * The value of the Date field, made once a second as long as somebody asks for it.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";

/** Tells the time as HTTP does (RFC 9110 section 5.6.7), without a look at the clock for each answer. */
export class HttpDate {
  readonly #clock: Clock;
  #text = "";
  #isAsked = false;
  #isClosed = false;
  /** Runs out with the second that `#text` tells. */
  #second: Timer | undefined;

  /** By this clock. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The time, at most a second old. */
  text(): string {
    this.#isAsked = true;
    if (this.#second === undefined) this.#look();
    return this.#text;
  }

  /** Leaves no timer behind; the time is still told. */
  close(): void {
    this.#isClosed = true;
    this.#second?.cancel();
    this.#second = undefined;
  }

  #look(): void {
    const now = this.#clock.now();
    this.#text = now.toUTCString();
    if (this.#isClosed) return;
    this.#isAsked = false;
    this.#second = this.#clock.after(1_000 - now.getUTCMilliseconds(), () => this.#passed());
  }

  #passed(): void {
    this.#second = undefined;
    if (this.#isAsked) this.#look();
  }
}
