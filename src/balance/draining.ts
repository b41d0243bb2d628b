/**
 * Whether a target is drained, and since when its sessions go elsewhere.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";

/** The draining of one target. */
export class Draining {
  readonly #clock: Clock;
  readonly #onEmptied: () => void;
  /** From when on its sessions go elsewhere, on the clock's monotonic scale; undefined where it is not drained. */
  #emptyFromMs: number | undefined;
  #emptying: Timer | undefined;

  /** It is not drained. `onEmptied` is told when it was drained so long that its sessions go elsewhere. */
  constructor(clock: Clock, onEmptied: () => void) {
    this.#clock = clock;
    this.#onEmptied = onEmptied;
  }

  /** Whether it gets no new work. */
  get isOn(): boolean {
    return this.#emptyFromMs !== undefined;
  }

  /** Whether it was drained long enough for its sessions to go elsewhere. */
  get isEmptied(): boolean {
    return this.#emptyFromMs !== undefined && this.#emptyFromMs <= this.#clock.monotonicMs();
  }

  /** It gets no new work from now on; its sessions stay for so long. */
  begin(moveAfterMs: number): void {
    this.end();
    this.#emptyFromMs = this.#clock.monotonicMs() + moveAfterMs;
    if (moveAfterMs < Infinity) this.#emptying = this.#clock.after(moveAfterMs, this.#onEmptied);
  }

  /** It is as any other again. */
  end(): void {
    this.forget();
    this.#emptyFromMs = undefined;
  }

  /** Nobody is told any more. */
  forget(): void {
    this.#emptying?.cancel();
  }
}
