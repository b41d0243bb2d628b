/**
 * The body of an answer between the connection that pushes it and the reader that pulls it.
 *
 * At most `HIGH_WATER_BYTES` and one piece wait here for the reader; then the connection is paused. So
 * a client that does not read stops the upstream, and memory stays flat (R49).
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import { type Observe, observeToo } from "./observe.ts";
import type { UpstreamBody } from "./upstream.ts";

/** Bytes that may wait for a reader before the connection is paused. */
export const HIGH_WATER_BYTES = 65_536;

/** What a body can do to its connection. */
export interface BodyControl {
  /** Reads nothing until `resume`. */
  pause(): void;
  /** Reads on. */
  resume(): void;
  /** Drops the connection; the body hears nothing more of it. */
  abort(): void;
  /** See `UpstreamBody.attend`. */
  attend?(attended: boolean): void;
}

/** The watch over silence in a body. */
export interface BodyTimer {
  /** Time. */
  readonly clock: Clock;
  /** The longest silence, in milliseconds. */
  readonly idleMs: number;
  /** When the body has to be over, on the clock's monotonic scale; infinite for no such time. */
  readonly untilMs: number;
}

/** A body that a connection fills with `push`, `finish` and `fail`. */
export class AnswerBody implements UpstreamBody {
  #whenOver: ((failure?: ProxyError) => void)[] = [];
  readonly #control: BodyControl;
  readonly #timer: BodyTimer;
  #queue: Bytes[] = [];
  #queuedBytes = 0;
  #paused = false;
  #over = false;
  #failure: ProxyError | undefined;
  #observe: Observe | undefined;
  #reader: PromiseWithResolvers<readonly Bytes[] | null> | undefined;
  #wake: (() => void) | undefined;
  #lastByteMs = 0;
  #watch: Timer | undefined;

  /** A body on one connection, watched for silence once it has a reader. */
  constructor(control: BodyControl, timer: BodyTimer) {
    this.#control = control;
    this.#timer = timer;
  }

  /** A piece of the body has come. */
  push(bytes: Bytes): void {
    if (this.#over) return;
    if (this.#watch !== undefined) this.#lastByteMs = this.#timer.clock.monotonicMs();
    this.#observe?.(bytes);
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      return reader.resolve([bytes]);
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes >= HIGH_WATER_BYTES) this.#pause();
    this.#wake?.();
  }

  /** The body has come to its proper end. */
  finish(): void {
    if (this.#over) return;
    this.#settle();
  }

  /** The body broke off. */
  fail(error: ProxyError): void {
    if (this.#over) return;
    this.#failure = error;
    this.#settle();
  }

  /** See `UpstreamBody`. */
  whenOver(callback: (failure?: ProxyError) => void): void {
    if (this.#over) callback(this.#failure);
    else this.#whenOver.push(callback);
  }

  /** See `UpstreamBody`. */
  attend(attended: boolean): void {
    this.#control.attend?.(attended);
  }

  /** See `UpstreamBody`. */
  tap(observe: (bytes: Uint8Array) => void): void {
    for (const bytes of this.#queue) observe(bytes);
    this.#observe = observeToo(this.#observe, observe);
  }

  /** See `UpstreamBody`. */
  wholeNow(maxBytes: number): Bytes | undefined {
    if (!this.#over || this.#failure !== undefined || this.#queuedBytes > maxBytes) {
      return undefined;
    }
    return concat(this.#takeQueue());
  }

  /** See `UpstreamBody`. */
  async bytesWithin(maxBytes: number): Promise<Bytes | null> {
    this.#startWatch();
    while (!this.#over && this.#queuedBytes <= maxBytes && this.#queuedBytes < HIGH_WATER_BYTES) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    this.#wake = undefined;
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#over || this.#queuedBytes > maxBytes) return null;
    return concat(this.#takeQueue());
  }

  /** See `UpstreamBody`. */
  next(): readonly Bytes[] | null | Promise<readonly Bytes[] | null> {
    if (this.#queue.length > 0) {
      const taken = this.#takeQueue();
      this.#startWatch();
      this.#resume();
      return taken;
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#over) return null;
    this.#startWatch();
    this.#resume();
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  /** See `UpstreamBody`. */
  get ended(): boolean {
    return this.#over && this.#failure === undefined && this.#queue.length === 0;
  }

  /** See `UpstreamBody`. */
  end(): void {
    if (this.#over) return;
    this.#settle();
    this.#control.abort();
  }

  /** See `UpstreamBody`. */
  breakOff(failure: ProxyError): void {
    if (this.#over) return;
    this.fail(failure);
    this.#control.abort();
  }

  /** See `UpstreamBody`. */
  discard(): void {
    if (this.#over) return;
    this.#failure = new ProxyError("client_closed", "The answer was given up by its reader.");
    this.#queue = [];
    this.#settle();
    this.#control.abort();
  }

  #takeQueue(): Bytes[] {
    const taken = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    return taken;
  }

  #settle(): void {
    this.#over = true;
    this.#watch?.cancel();
    this.#wake?.();
    if (this.#failure === undefined) this.#reader?.resolve(null);
    else this.#reader?.reject(this.#failure);
    this.#reader = undefined;
    for (const callback of this.#whenOver) callback(this.#failure);
    this.#whenOver = [];
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#control.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#over) return;
    this.#paused = false;
    // The silence while the client did not read was not the upstream's.
    this.#lastByteMs = this.#timer.clock.monotonicMs();
    this.#control.resume();
  }

  /** Watches from when somebody waits: an answer that is there already needs no timer. */
  #startWatch(): void {
    if (this.#over || this.#watch !== undefined) return;
    const { clock, idleMs, untilMs } = this.#timer;
    this.#lastByteMs = clock.monotonicMs();
    this.#watchFor(Math.min(idleMs, untilMs - this.#lastByteMs));
  }

  /** One timer that looks when it fires, rather than one that is set anew for each piece. */
  #watchFor(delayMs: number): void {
    // What may be silent for ever has no deadline, and a timer cannot have that length.
    if (delayMs === Infinity) return;
    this.#watch = this.#timer.clock.after(Math.max(0, delayMs), () => {
      const { clock, idleMs, untilMs } = this.#timer;
      const leftMs = untilMs - clock.monotonicMs();
      const silentMs = this.#paused ? 0 : clock.monotonicMs() - this.#lastByteMs;
      if (leftMs > 0 && silentMs < idleMs) {
        return this.#watchFor(Math.min(leftMs, idleMs - silentMs));
      }
      const what = leftMs > 0 ? "fell silent in the middle of" : "took too long over";
      this.breakOff(new ProxyError("upstream_timeout", `The upstream server ${what} its answer.`));
    });
  }
}

function concat(pieces: readonly Bytes[]): Bytes {
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
