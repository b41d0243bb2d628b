/**
 * The signal of a call that the balancer may take back from its target, beside its client.
 *
 * @module
 */

import type { CancelSignal } from "../http/mod.ts";

/** Aborted with `outer`, or when `cut` is called. */
export class Interruption implements CancelSignal {
  readonly #outer: CancelSignal;
  readonly #listeners = new Set<() => void>();
  #isCut = false;

  /** For a call with this signal. */
  constructor(outer: CancelSignal) {
    this.#outer = outer;
  }

  /** Whether it was taken back here. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** See `CancelSignal`. */
  get aborted(): boolean {
    return this.#isCut || this.#outer.aborted;
  }

  /** See `CancelSignal`. */
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void {
    this.#listeners.add(listener);
    this.#outer.addEventListener(type, listener, options);
  }

  /** See `CancelSignal`. */
  removeEventListener(type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
    this.#outer.removeEventListener(type, listener);
  }

  /** Takes the call back. */
  cut(): void {
    if (this.aborted) return;
    this.#isCut = true;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) {
      this.#outer.removeEventListener("abort", listener);
      listener();
    }
  }
}
