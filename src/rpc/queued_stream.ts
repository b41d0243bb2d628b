/**
 * A stream on which a client hears what the server says by itself: a bounded queue between the one stream
 * of the upstream and a client that may be slow.
 *
 * A client that takes too little loses its queue and is told why; nobody else notices (R50).
 *
 * @module
 */

import type { ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import { encodeEvent } from "../sse/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";

/** What may wait for a client. */
export interface QueueBounds {
  /** Messages. */
  readonly maxQueuedMessages: number;
  /** Bytes of them. */
  readonly maxQueuedBytes: number;
}

/** What a stream tells its owner. */
export interface QueuedStreamEvents {
  /** It is over, for whatever reason. */
  over(stream: QueuedStream): void;
  /** It ends because too much waited. */
  overflowed(): void;
}

/** One stream of one client. */
export class QueuedStream implements UpstreamBody {
  readonly #bounds: QueueBounds;
  readonly #events: QueuedStreamEvents;
  #queue: Bytes[] = [];
  #queuedBytes = 0;
  #over = false;
  #failure: ProxyError | undefined;
  #reader: PromiseWithResolvers<readonly Bytes[] | null> | undefined;
  #observe: ((bytes: Uint8Array) => void) | undefined;
  #whenOver: (() => void)[] = [];

  /** A stream on which nothing has come. */
  constructor(bounds: QueueBounds, events: QueuedStreamEvents) {
    this.#bounds = bounds;
    this.#events = events;
  }

  /** Hands one event to the client; false where the stream is over, with this event or before. */
  push(event: Bytes): boolean {
    if (this.#over) return false;
    this.#observe?.(event);
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve([event]);
      return true;
    }
    this.#queue.push(event);
    this.#queuedBytes += event.length;
    const { maxQueuedMessages, maxQueuedBytes } = this.#bounds;
    if (this.#queue.length <= maxQueuedMessages && this.#queuedBytes <= maxQueuedBytes) return true;
    this.#overflow();
    return false;
  }

  /** See `UpstreamBody`. */
  breakOff(failure: ProxyError): void {
    if (this.#over) return;
    this.#failure = failure;
    this.#settle();
  }

  /** See `UpstreamBody`. */
  end(): void {
    this.#settle();
  }

  /** See `UpstreamBody`. */
  discard(): void {
    this.#take();
    this.#settle();
  }

  /** See `UpstreamBody`. */
  next(): readonly Bytes[] | null | Promise<readonly Bytes[] | null> {
    if (this.#queue.length > 0) return this.#take();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#over) return null;
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  /** See `UpstreamBody`. */
  get ended(): boolean {
    return this.#over && this.#failure === undefined && this.#queue.length === 0;
  }

  /** Not known before it is over: it has no end of its own. */
  wholeNow(): undefined {
    return undefined;
  }

  /** Never within any length: it has no end of its own. */
  bytesWithin(): Promise<null> {
    return Promise.resolve(null);
  }

  /** See `UpstreamBody`. */
  tap(observe: (bytes: Uint8Array) => void): void {
    for (const event of this.#queue) observe(event);
    this.#observe = observe;
  }

  /** See `UpstreamBody`. */
  whenOver(callback: () => void): void {
    if (this.#over) callback();
    else this.#whenOver.push(callback);
  }

  #overflow(): void {
    const lost = this.#take();
    const text = ` ${lost.length} messages were dropped because they were not read in time;` +
      " this stream ends, open another";
    this.#queue.push(encodeEvent({ comments: [text] }));
    this.#events.overflowed();
    this.#settle();
  }

  #take(): Bytes[] {
    const taken = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    return taken;
  }

  #settle(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#failure === undefined) this.#reader?.resolve(null);
    else this.#reader?.reject(this.#failure);
    this.#reader = undefined;
    this.#events.over(this);
    const callbacks = this.#whenOver;
    this.#whenOver = [];
    for (const callback of callbacks) callback();
  }
}
