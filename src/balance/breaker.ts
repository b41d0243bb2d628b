/**
 * The breaker of one target: where call after call runs into a deadline, the further ones are spared the wait.
 *
 * Calls from before it opened may still end while it tries the target anew. They are known by their age, so
 * that the one trial is neither taken for over nor joined by a second.
 *
 * @module
 */

import type { HealthConfig } from "../config/mod.ts";

/** What a breaker is set to. */
export type BreakerSettings = Pick<HealthConfig, "breakerTimeouts" | "breakerMs" | "maxEjectMs">;

/** What a call says to the breaker: an answer, a deadline that was run into, a failure that cost no time. */
export type Ending = "answered" | "late" | "failed";

/** A call that is over. */
export interface Ended {
  /** How it ended. */
  readonly ending: Ending;
  /** When it was admitted, on the clock's monotonic scale. */
  readonly startedMs: number;
  /** Now, on that scale. */
  readonly nowMs: number;
}

/** Closed, open, or half-open; pure: it is told the time. */
export class Breaker {
  #settings: BreakerSettings;
  #isClosed = true;
  #closedMs = -Infinity;
  #lateInRow = 0;
  /** How often it opened in a row, without an answer in between. */
  #opened = 0;
  #openedMs = 0;
  #untilMs = 0;
  #isTrying = false;

  /** A closed one. */
  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  /** Takes other settings. A time that has begun goes on. */
  update(settings: BreakerSettings): void {
    this.#settings = settings;
  }

  /** How it is at `nowMs`. */
  state(nowMs: number): "closed" | "open" | "half-open" {
    if (this.#isClosed || this.#isOff) return "closed";
    return nowMs < this.#untilMs ? "open" : "half-open";
  }

  /** 0 where a call may go, or the milliseconds until it is worth while to ask again. */
  admit(nowMs: number): number {
    if (this.#isClosed || this.#isOff) return 0;
    if (nowMs < this.#untilMs) return Math.ceil(this.#untilMs - nowMs);
    if (this.#isTrying) return this.#settings.breakerMs;
    this.#isTrying = true;
    return 0;
  }

  /** An admitted call is over; tells whether the breaker opened or closed because of it. */
  record(ended: Ended): "opened" | "closed" | undefined {
    return this.#isClosed ? this.#recordClosed(ended) : this.#recordOpen(ended);
  }

  /** An admitted call is over and says nothing. */
  forget(startedMs: number): void {
    if (this.#isTrial(startedMs)) this.#isTrying = false;
  }

  /** There is reason to try the target now. */
  retryNow(nowMs: number): void {
    // Never at the moment of opening: a trial has to be younger than that.
    this.#untilMs = Math.min(this.#untilMs, Math.max(nowMs, this.#openedMs + 1));
  }

  get #isOff(): boolean {
    return this.#settings.breakerTimeouts === 0;
  }

  #isTrial(startedMs: number): boolean {
    return this.#isTrying && startedMs > this.#openedMs;
  }

  #recordClosed({ ending, startedMs, nowMs }: Ended): "opened" | undefined {
    if (ending !== "late") {
      this.#lateInRow = 0;
      return undefined;
    }
    if (startedMs < this.#closedMs) return undefined;
    this.#lateInRow++;
    if (this.#isOff || this.#lateInRow < this.#settings.breakerTimeouts) return undefined;
    this.#open(nowMs);
    return "opened";
  }

  #recordOpen({ ending, startedMs, nowMs }: Ended): "opened" | "closed" | undefined {
    if (ending === "answered") {
      this.#close(nowMs);
      return "closed";
    }
    if (!this.#isTrial(startedMs)) return undefined;
    this.#isTrying = false;
    // A failure that costs no time proves nothing either way: the next call may try.
    if (ending === "failed") return undefined;
    this.#open(nowMs);
    return "opened";
  }

  #open(nowMs: number): void {
    const { breakerMs, maxEjectMs } = this.#settings;
    this.#isClosed = false;
    this.#openedMs = nowMs;
    this.#untilMs = nowMs + Math.min(breakerMs * 2 ** this.#opened, maxEjectMs);
    // More than this is beyond any bound, and the power would grow out of all numbers.
    this.#opened = Math.min(this.#opened + 1, 32);
  }

  #close(nowMs: number): void {
    this.#isClosed = true;
    this.#closedMs = nowMs;
    this.#isTrying = false;
    this.#lateInRow = 0;
    this.#opened = 0;
  }
}
