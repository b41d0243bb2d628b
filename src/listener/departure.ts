/**
 * Whether a client has gone, as a signal that costs nothing until it is listened to.
 *
 * @module
 */

import type { CancelSignal } from "../http/mod.ts";

/** A signal that its owner aborts once. */
export class Departure implements CancelSignal {
  #listeners: (() => void)[] = [];
  #aborted = false;

  /** See `CancelSignal`. */
  get aborted(): boolean {
    return this.#aborted;
  }

  /** See `CancelSignal`. */
  addEventListener(_type: "abort", listener: () => void): void {
    if (!this.#aborted && !this.#listeners.includes(listener)) this.#listeners.push(listener);
  }

  /** See `CancelSignal`. */
  removeEventListener(_type: "abort", listener: () => void): void {
    const at = this.#listeners.indexOf(listener);
    if (at !== -1) this.#listeners.splice(at, 1);
  }

  /** Tells all who listen, once. */
  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}
