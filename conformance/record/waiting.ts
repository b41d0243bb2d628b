/**
 * Waiting inside a conversation: for a moment, and for what arrives.
 *
 * @module
 */

import { delay } from "../servers/loopback.ts";

export { delay };

/**
 * How long a client waits until what it just did has surely been seen at the other end, in
 * milliseconds: the end of a connection, for one, is not acknowledged by anything.
 */
export const SETTLE_MS = 100;

/** Keeps all that arrives, so that a conversation can wait for what may be there already. */
export class Arrivals<T> {
  readonly #items: T[] = [];
  readonly #checks = new Set<() => void>();

  /** All that arrived so far, in order. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Adds one. */
  push(item: T): void {
    this.#items.push(item);
    for (const check of this.#checks) check();
  }

  /** The first item that matches, as soon as it is there; rejects when `signal` aborts. */
  async first(matches: (item: T) => boolean, signal: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const check = () => {
      const found = this.#items.find(matches);
      if (found !== undefined) resolve(found);
    };
    const stop = () => reject(signal.reason);
    this.#checks.add(check);
    signal.addEventListener("abort", stop, { once: true });
    check();
    try {
      return await promise;
    } finally {
      this.#checks.delete(check);
      signal.removeEventListener("abort", stop);
    }
  }
}
