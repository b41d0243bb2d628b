/**
 * What has come to a target several times in a row, and in words: calls that failed, probes of either kind.
 *
 * @module
 */

import type { Failure } from "./health.ts";

/** Calls that failed, without a good one in between. */
export class FailedCalls {
  #count = 0;
  #unreachable = 0;

  /** How many. */
  get count(): number {
    return this.#count;
  }

  /** How many of the latest found no connection. */
  get unreachable(): number {
    return this.#unreachable;
  }

  /** One more. */
  add(how: Failure | "answered"): void {
    this.#count++;
    this.#unreachable = how === "unreachable" ? this.#unreachable + 1 : 0;
  }

  /** There was a good one, or as much as that. */
  clear(): void {
    this.#count = 0;
    this.#unreachable = 0;
  }
}

/** Probes. */
export class Probes {
  #good = 0;
  #bad = 0;
  #latest: { readonly atMs: number; readonly ok: boolean } | undefined;

  /** Good ones in a row. */
  get good(): number {
    return this.#good;
  }

  /** Failed ones in a row. */
  get bad(): number {
    return this.#bad;
  }

  /** One more, at `atMs` on the clock's monotonic scale. */
  add(ok: boolean, atMs: number): void {
    this.#latest = { atMs, ok };
    this.#good = ok ? this.#good + 1 : 0;
    this.#bad = ok ? 0 : this.#bad + 1;
  }

  /** Good ones count anew. */
  clearGood(): void {
    this.#good = 0;
  }

  /** Failed ones count anew. */
  clearBad(): void {
    this.#bad = 0;
  }

  /** The latest, for the admin pages; null where there was none. */
  told(nowMs: number): { readonly agoMs: number; readonly ok: boolean } | null {
    if (this.#latest === undefined) return null;
    const { atMs, ok } = this.#latest;
    return { agoMs: Math.round(nowMs - atMs), ok };
  }
}

/** What the last of several failures in a row was, in words. */
export const REASONS: Readonly<Record<Failure | "answered", string>> = {
  unreachable: "no connection",
  connect_timeout: "no connection in time",
  broken: "the connection broke off",
  timeout: "no answer in time",
  answered: "the server failed",
};

/** So many in a row, in words. */
export function inRow(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"} in a row`;
}
