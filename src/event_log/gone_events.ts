/**
 * Events that an instance has let go of and Redis still has.
 *
 * @module
 */

import type { RedisTrim } from "./redis_streams.ts";

/** What is to go from Redis with the next append. */
export class GoneEvents {
  /** Up to which event streams are to be trimmed. */
  readonly #dropped = new Map<string, number>();
  readonly #forgotten: RedisTrim[] = [];

  /** The events of a stream up to this number are to go. */
  dropped(stream: string, seq: number): void {
    this.#dropped.set(stream, seq);
  }

  /** A stream is to go, if Redis is known to have it, with `expected` as its newest number. */
  forgotten(stream: string, expected: number | undefined): void {
    if (expected !== undefined) this.#forgotten.push({ stream, expected });
    this.#dropped.delete(stream);
  }

  /** A stream has all that Redis has of it. */
  restored(stream: string): void {
    this.#dropped.delete(stream);
  }

  /** The first number of a stream that stays; what is ahead of it is taken for gone. */
  takeFirst(stream: string): number {
    const first = (this.#dropped.get(stream) ?? -1) + 1;
    this.#dropped.delete(stream);
    return first;
  }

  /** All that is to go, given once; `kept` has the newest numbers of the streams that Redis is known to have. */
  take(kept: ReadonlyMap<string, number>): RedisTrim[] {
    const trims = this.#forgotten.splice(0);
    for (const [stream, seq] of this.#dropped) {
      const expected = kept.get(stream);
      if (expected !== undefined) trims.push({ stream, expected, from: seq + 1 });
    }
    this.#dropped.clear();
    return trims;
  }

  /** Nothing is to go any more. */
  clear(): void {
    this.#dropped.clear();
    this.#forgotten.length = 0;
  }
}
