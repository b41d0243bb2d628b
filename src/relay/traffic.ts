/**
 * What has passed on the streams of a session: counted where a client takes it, in numbers that are added to
 * in place, because it is counted for every read.
 *
 * @module
 */

import type { Clock } from "../clock.ts";

/**
 * What a stream is: the answer to requests, one on which the server speaks first, or one that another
 * instance holds and a client reads here.
 */
export type StreamKind = "answer" | "subscription" | "followed";

/** What all streams of a session add to. `SessionTraffic` is one. */
export interface TrafficSum {
  /** Bytes of bodies to the client. */
  bytesOut: number;
  /** Events of streams to the client. */
  events: number;
  /** Streams held now. */
  streams: number;
}

/** What has passed on one stream. */
export class StreamTraffic {
  /** What it is. */
  readonly kind: StreamKind;
  /** When it began here, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** Whether its events are told apart; otherwise it passes as bytes, and nobody counts them. */
  readonly countsEvents: boolean;
  /** Whether a client reads it. */
  attended = true;
  /** Bytes that clients have taken, those that came again after a reconnect included. */
  bytes = 0;
  /** The same in events. */
  events = 0;
  readonly #sum: TrafficSum;
  readonly #open: Set<StreamTraffic>;
  #stopped = false;

  /** One of the streams `open`; `StreamTally` makes it. */
  constructor(
    { kind, sinceMs, countsEvents }: Pick<StreamTraffic, "kind" | "sinceMs" | "countsEvents">,
    sum: TrafficSum,
    open: Set<StreamTraffic>,
  ) {
    this.kind = kind;
    this.sinceMs = sinceMs;
    this.countsEvents = countsEvents;
    this.#sum = sum;
    this.#open = open;
  }

  /** A client has taken so many bytes, with so many events in them. */
  took(bytes: number, events: number): void {
    if (this.#stopped) return;
    this.bytes += bytes;
    this.events += events;
    this.#sum.bytesOut += bytes;
    this.#sum.events += events;
  }

  /** The stream is held no longer; what still waits for its client is counted yet. Harmless again. */
  close(): void {
    if (this.#open.delete(this)) this.#sum.streams--;
  }

  /** Another stream has taken its place, and counts what its client takes from now on. */
  stop(): void {
    this.#stopped = true;
    this.close();
  }
}

/** The streams of one session that are held here. */
export class StreamTally implements Iterable<StreamTraffic> {
  readonly #sum: TrafficSum;
  readonly #clock: Clock;
  readonly #open = new Set<StreamTraffic>();

  /** None yet; what passes on them is added to `sum` too. */
  constructor(sum: TrafficSum, clock: Clock) {
    this.#sum = sum;
    this.#clock = clock;
  }

  /** There is one more. */
  begin(kind: StreamKind, countsEvents = true): StreamTraffic {
    const sinceMs = this.#clock.now().getTime();
    const stream = new StreamTraffic({ kind, sinceMs, countsEvents }, this.#sum, this.#open);
    this.#open.add(stream);
    this.#sum.streams++;
    return stream;
  }

  /** Those that are held, the oldest first. */
  [Symbol.iterator](): Iterator<StreamTraffic> {
    return this.#open.values();
  }
}
