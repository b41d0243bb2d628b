/**
 * What one client reads of an event stream: the place between whoever relays and the connection.
 *
 * @module
 */

import type { ProxyError } from "../errors.ts";
import type { AnswerSource, Bytes } from "../http/mod.ts";
import type { StreamTraffic } from "./traffic.ts";

/** Bytes that may wait for a client before whoever pushes has to stop. */
export const HIGH_WATER_BYTES = 65_536;

/** What a reader tells the stream that it reads. */
export interface ReaderEvents {
  /** The client has gone, or wants no more. */
  left(reader: Reader): void;
  /** What waited has been taken. */
  drained(reader: Reader): void;
}

/** Who reads a stream: a client here, or one at another instance. */
export interface Reader {
  /** Whether so much waits that nothing more should be pushed. */
  readonly full: boolean;
  /** The number of the newest event that the client has taken; 0 for none. */
  readonly taken: number;
  /** Whether it is told of events alone, and reads them in the log. */
  readonly readsLog: boolean;
  /** Whether nothing was pushed since the last time this was asked. */
  quiet(): boolean;
  /** Hands bytes to the client with `events` in them, the newest being `seq`, where there is one. */
  push(bytes: Bytes, seq?: number, events?: number): void;
  /** Ends it: cleanly, or, with an error, as one that broke off. What waits is still handed out. */
  finish(failure?: ProxyError): void;
}

/** A client's end of a stream. At most `HIGH_WATER_BYTES` and one push wait here. */
export class Attachment implements AnswerSource, Reader {
  /** See `Reader`. */
  readonly readsLog = false;
  readonly #events: ReaderEvents;
  readonly #traffic: StreamTraffic | undefined;
  #queue: Bytes[] = [];
  #queuedBytes = 0;
  #queuedEvents = 0;
  #over = false;
  #failure: ProxyError | undefined;
  #reader: PromiseWithResolvers<readonly Bytes[] | null> | undefined;
  #pushed = false;
  /** The number of the newest event that was pushed. */
  #pushedSeq = 0;
  #takenSeq = 0;
  #whenOver: (() => void)[] = [];

  /** An end that nobody reads yet; what is taken is counted in `traffic`, if given. */
  constructor(events: ReaderEvents, traffic?: StreamTraffic) {
    this.#events = events;
    this.#traffic = traffic;
  }

  /** Whether so much waits that nothing more should be pushed. */
  get full(): boolean {
    return this.#queuedBytes >= HIGH_WATER_BYTES;
  }

  /** The number of the newest event that the client has taken; 0 for none. */
  get taken(): number {
    return this.#takenSeq;
  }

  /** Whether nothing was pushed since the last time this was asked. */
  quiet(): boolean {
    const quiet = !this.#pushed && this.#queuedBytes === 0;
    this.#pushed = false;
    return quiet;
  }

  /**
   * Hands bytes to the client.
   *
   * @param seq the number of the newest event in them, where there is one
   * @param events how many of them have a number
   */
  push(bytes: Bytes, seq = this.#pushedSeq, events = 0): void {
    if (this.#over || bytes.length === 0) return;
    this.#pushed = true;
    this.#pushedSeq = seq;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      this.#takenSeq = seq;
      this.#traffic?.took(bytes.length, events);
      return reader.resolve([bytes]);
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#queuedEvents += events;
  }

  /** Ends it: cleanly, or, with an error, as one that broke off. What waits is still handed out. */
  finish(failure?: ProxyError): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    const reader = this.#reader;
    this.#reader = undefined;
    if (failure === undefined) reader?.resolve(null);
    else reader?.reject(failure);
    const callbacks = this.#whenOver;
    this.#whenOver = [];
    for (const callback of callbacks) callback();
  }

  /** Ends it here and now, as if the client had left. */
  end(): void {
    if (this.#over) return;
    this.finish();
    this.#events.left(this);
  }

  /** Calls back once when it is over for whatever reason, at once if it is over already. */
  whenOver(callback: () => void): void {
    if (this.#over) callback();
    else this.#whenOver.push(callback);
  }

  /** See `AnswerSource`. */
  next(): readonly Bytes[] | null | Promise<readonly Bytes[] | null> {
    if (this.#queue.length > 0) {
      const taken = this.#queue;
      this.#traffic?.took(this.#queuedBytes, this.#queuedEvents);
      this.#queue = [];
      this.#queuedBytes = 0;
      this.#queuedEvents = 0;
      this.#takenSeq = this.#pushedSeq;
      this.#events.drained(this);
      return taken;
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#over) return null;
    this.#reader = Promise.withResolvers();
    // Whoever waits for room may push now, so the reader has to be there first.
    const { promise } = this.#reader;
    this.#events.drained(this);
    return promise;
  }

  /** See `AnswerSource`. */
  get ended(): boolean {
    return this.#over && this.#failure === undefined && this.#queue.length === 0;
  }

  /** See `AnswerSource`. */
  discard(): void {
    if (this.#over && this.#queue.length === 0) return;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#queuedEvents = 0;
    this.finish();
    this.#events.left(this);
  }
}
