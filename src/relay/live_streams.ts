/**
 * The event streams of all sessions, so that they can be bounded and ended together.
 *
 * @module
 */

import type { ProxyError } from "../errors.ts";

/** What is known of a stream here. */
export interface LiveStream {
  /** Ends it for good. */
  end(): void;
  /** Lets go of it here, as broken off: who reads it may come back for the rest, perhaps elsewhere. */
  release(failure: ProxyError): void;
}

/** Most streams that nobody reads, over all sessions; the oldest gives way. */
export const MAX_UNATTENDED_IN_ALL = 10_000;

/** All streams of an app. */
export class LiveStreams {
  readonly #all = new Set<LiveStream>();
  /** Those that nobody reads, the longest first. */
  readonly #unattended = new Set<LiveStream>();
  readonly #maxUnattended: number;

  /** None yet. */
  constructor(maxUnattended = MAX_UNATTENDED_IN_ALL) {
    this.#maxUnattended = maxUnattended;
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** How many of them nobody reads. */
  get unattended(): number {
    return this.#unattended.size;
  }

  /** There is one more. */
  add(stream: LiveStream): void {
    this.#all.add(stream);
  }

  /** There is one less. */
  remove(stream: LiveStream): void {
    this.#all.delete(stream);
    this.#unattended.delete(stream);
  }

  /** Nobody reads it any more, or somebody does again. */
  attended(stream: LiveStream, attended: boolean): void {
    this.#unattended.delete(stream);
    if (attended) return;
    this.#unattended.add(stream);
    if (this.#unattended.size > this.#maxUnattended) this.#unattended.values().next().value?.end();
  }

  /** Lets go of all of them, as broken off: who reads one may come back for the rest. */
  close(failure: ProxyError): void {
    for (const stream of [...this.#all]) stream.release(failure);
  }
}
