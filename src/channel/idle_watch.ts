/**
 * When something was used last, and what happens when nobody has used it for long.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";

/** What it works with. */
export interface IdleWatchOptions {
  /** Time. */
  readonly clock: Clock;
  /** How long nobody uses what is no longer wanted, in milliseconds. */
  readonly idleMs: number;
  /** Whether anything but a call keeps it in use. */
  readonly isBusy: () => boolean;
  /** Nobody has used it for so long. */
  readonly onIdle: () => void;
}

/** Watches one thing. */
export class IdleWatch {
  readonly #options: IdleWatchOptions;
  #timer: Timer | undefined;
  #lastUsedMs = 0;
  #callsUnderWay = 0;
  #stopped = false;

  /** It is not watched yet. */
  constructor(options: IdleWatchOptions) {
    this.#options = options;
  }

  /** How long nobody has used it, in milliseconds; undefined while it is in use. */
  get idleMs(): number | undefined {
    const { clock, isBusy } = this.#options;
    return this.#callsUnderWay > 0 || isBusy() ? undefined : clock.monotonicMs() - this.#lastUsedMs;
  }

  /** It is used now. */
  touch(): void {
    this.#lastUsedMs = this.#options.clock.monotonicMs();
  }

  /** It is in use until `work` is done. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#callsUnderWay++;
    try {
      return await work();
    } finally {
      this.#callsUnderWay--;
      this.touch();
    }
  }

  /** It is watched from now on. */
  start(): void {
    this.touch();
    this.#watch();
  }

  /** It is watched no more, for good. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #watch(): void {
    if (this.#stopped) return;
    const { clock, idleMs, onIdle } = this.#options;
    this.#timer = clock.after(idleMs, () => {
      if ((this.idleMs ?? 0) < idleMs) this.#watch();
      else onIdle();
    });
  }
}
