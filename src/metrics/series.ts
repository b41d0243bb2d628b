/**
 * What is counted by labels, each combination apart, up to a number of them.
 *
 * @module
 */

import type { Sample } from "./text.ts";

/** Labels of one combination. */
export type Labels = Sample["labels"];

/** Combinations of labels, each with what is kept of it. */
export class Series<T> {
  readonly #kept = new Map<string, { readonly labels: Labels; readonly value: T }>();
  readonly #most: number;
  readonly #make: () => T;
  readonly #beyond: Labels;

  /**
   * @param most combinations at most
   * @param make what is kept of a new one
   * @param beyond the labels of all that come when there are so many
   */
  constructor(most: number, make: () => T, beyond: Labels) {
    this.#most = most;
    this.#make = make;
    this.#beyond = beyond;
  }

  /**
   * What is kept of some labels.
   *
   * @param key tells their combination from all others
   * @param labels asked for where the combination is new
   */
  of(key: string, labels: () => Labels): T {
    return (this.#kept.get(key) ?? this.#begin(key, labels)).value;
  }

  /** All of them, in the order in which they came. */
  samples(told: (value: T, labels: Labels) => readonly Sample[]): Sample[] {
    return [...this.#kept.values()].flatMap(({ labels, value }) => told(value, labels));
  }

  #begin(key: string, labels: () => Labels): { readonly labels: Labels; readonly value: T } {
    const isFull = this.#kept.size >= this.#most;
    const at = isFull ? BEYOND : key;
    let kept = this.#kept.get(at);
    if (kept === undefined) {
      kept = { labels: isFull ? this.#beyond : labels(), value: this.#make() };
      this.#kept.set(at, kept);
    }
    return kept;
  }
}

/** A key that no combination has. */
const BEYOND = "";
