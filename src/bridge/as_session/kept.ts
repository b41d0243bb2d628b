/**
 * For whom an answer of the server may be kept, and a table of such answers that does not grow without bounds.
 *
 * Source: 2026-07-28 server/utilities/caching.
 *
 * @module
 */

import type { UpstreamCall } from "../../upstream/mod.ts";
import { credentialsIn } from "../credentials.ts";

/** The longest time for which anything is kept, in milliseconds: what `ttlMs` says can be of any size. */
export const MAX_KEPT_MS = 86_400_000;

/** Whose answer is whose: for everybody with one query, and for one caller. */
export interface Audience {
  /** For whoever asks with the same query. */
  readonly everybody: string;
  /** For the same principal with the same credentials. */
  readonly caller: string;
}

/** For whom answers to a call may be kept. */
export function audienceOf({ headers, principal, query }: UpstreamCall): Audience {
  return {
    everybody: JSON.stringify([query]),
    caller: JSON.stringify([query, principal, credentialsIn(headers)]),
  };
}

/** How long a result stays fresh, in milliseconds; 0 where it does not say. */
export function freshMs(ttlMs: unknown): number {
  return typeof ttlMs === "number" && ttlMs > 0 ? Math.min(ttlMs, MAX_KEPT_MS) : 0;
}

/** Values by keys; of too many the one that was put in first goes. */
export class BoundedTable<T> {
  readonly #values = new Map<string, T>();
  readonly #max: number;

  /** An empty table for at most `max` values. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many there are. */
  get size(): number {
    return this.#values.size;
  }

  /** The value of a key. */
  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  /** Puts a value in; it counts as the newest. */
  set(key: string, value: T): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#max) this.#values.delete(this.#values.keys().next().value!);
  }

  /** Takes a value out. */
  delete(key: string): void {
    this.#values.delete(key);
  }

  /** Takes all out. */
  clear(): void {
    this.#values.clear();
  }
}
