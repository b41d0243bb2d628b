/**
 * The event streams of all sessions, so that they can be bounded and ended together.
 *
 * @module
 */

import type { ProxyError } from "../errors.ts";

/** What is known of a stream here. */
export interface LiveStream {
  /** Whether nothing more will come on it. */
  readonly finished: boolean;
  /** Ends it for good. */
  end(): void;
  /** Lets go of it here, as broken off: who reads it may come back for the rest, perhaps elsewhere. */
  release(failure: ProxyError): void;
}

/** Most streams that nobody reads, over all sessions; the oldest with nothing more to come gives way. */
export const MAX_UNATTENDED_IN_ALL = 10_000;

/** All streams of an app. */
export class LiveStreams {
  readonly #all = new Set<LiveStream>();
  /** Those that nobody reads and on which more may come, the longest unattended first. */
  readonly #awaited = new Set<LiveStream>();
  /** Those that nobody reads and on which nothing more will come, the longest so first. */
  readonly #finished = new Set<LiveStream>();
  readonly #maxUnattended: number;
  /** Why there are to be no more; undefined before `close`. */
  #closed: ProxyError | undefined;

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
    return this.#awaited.size + this.#finished.size;
  }

  /** There is one more; behind `close` it is let go of once it has begun. */
  add(stream: LiveStream): void {
    this.#all.add(stream);
    const failure = this.#closed;
    if (failure === undefined) return;
    queueMicrotask(() => {
      if (this.#all.has(stream)) stream.release(failure);
    });
  }

  /** There is one less. */
  remove(stream: LiveStream): void {
    this.#all.delete(stream);
    this.#read(stream);
  }

  /** Nobody reads it any more, or somebody does again. */
  attended(stream: LiveStream, attended: boolean): void {
    this.#read(stream);
    if (attended) return;
    (stream.finished ? this.#finished : this.#awaited).add(stream);
    if (this.unattended <= this.#maxUnattended) return;
    const [givesWay = this.#awaited.values().next().value] = this.#finished;
    givesWay?.end();
  }

  /** Nothing more will come on it. */
  finished(stream: LiveStream): void {
    if (this.#awaited.delete(stream)) this.#finished.add(stream);
  }

  /** It is not among those that nobody reads. */
  #read(stream: LiveStream): void {
    this.#awaited.delete(stream);
    this.#finished.delete(stream);
  }

  /** Lets go of all of them, and of those that still come, as broken off: who reads one may come back for the rest. */
  close(failure: ProxyError): void {
    this.#closed = failure;
    for (const stream of [...this.#all]) stream.release(failure);
  }
}
