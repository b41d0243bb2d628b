/**
 * Back-pressure: a reader that does not read holds the channel back once its queue is full, and is given up
 * where others wait behind it (R49, R50).
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";

/** A reader of the channel. */
export interface FlowReader {
  /** It has not read in time: ends its stream with an error. */
  tooSlow(): void;
}

/** What holding back works with. */
export interface FlowOptions {
  /** Time. */
  readonly clock: Clock;
  /** How long others wait behind a reader whose queue is full, in milliseconds. */
  readonly patienceMs: number;
  /** Whether anybody else waits for something of this channel. */
  readonly othersWait: (reader: FlowReader) => boolean;
  /** Has the channel take no more. */
  readonly pause: () => void;
  /** Has it go on. */
  readonly resume: () => void;
}

/** Holds one channel back for its readers. */
export class Flow {
  readonly #options: FlowOptions;
  readonly #full = new Set<FlowReader>();
  #patience: Timer | undefined;

  /** Nothing is held back yet. */
  constructor(options: FlowOptions) {
    this.#options = options;
  }

  /** The queue of a reader is full. */
  full(reader: FlowReader): void {
    if (this.#full.size === 0) this.#options.pause();
    this.#full.add(reader);
    this.#wait();
  }

  /** A reader has read its queue, or is no more. */
  free(reader: FlowReader): void {
    if (!this.#full.delete(reader) || this.#full.size > 0) return;
    this.stop();
    this.#options.resume();
  }

  /** Somebody else waits for something from now on. */
  another(): void {
    if (this.#full.size > 0) this.#wait();
  }

  /** Forgets its timer. */
  stop(): void {
    this.#patience?.cancel();
    this.#patience = undefined;
  }

  #wait(): void {
    const { clock, patienceMs } = this.#options;
    this.#patience ??= clock.after(patienceMs, () => {
      this.#patience = undefined;
      // Who is alone may take its time: nobody else is stopped by it.
      for (const reader of [...this.#full]) {
        if (this.#options.othersWait(reader)) reader.tooSlow();
      }
    });
  }
}
