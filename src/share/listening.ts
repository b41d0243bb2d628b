/**
 * The one stream on which the server speaks first to a hub, open while anybody listens.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError, toProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import { type BackOff, delayBefore, Reconnect } from "../relay/mod.ts";
import { decode, headerForm, keep, type KeptAnswer, readBody, type RpcText } from "../rpc/mod.ts";
import { EventParser, EventTooLargeError, type SseEvent } from "../sse/mod.ts";
import type { UpstreamAnswer, UpstreamBody } from "../upstream/mod.ts";

/** The longest refusal that is kept for those who wait, in bytes. */
const MAX_REFUSAL_BYTES = 65_536;

/** What listening works with. */
export interface ListeningOptions {
  /** Time and randomness. */
  readonly clock: Clock;
  /** Bounds of opening it again. */
  readonly backOff: BackOff;
  /** The largest event, in bytes. */
  readonly maxEventBytes: number;
  /** GET behind the event that is the last one when it is sent, or without one. */
  readonly listen: (lastEventId: () => string | undefined) => Promise<UpstreamAnswer>;
  /** Gets each message. */
  readonly receive: (message: RpcText) => void;
  /** Told that something was no message, or too large for one. */
  readonly onDropped: (name: string) => void;
  /** Told when it is open again and nobody knows what the server said meanwhile. */
  readonly onGap: () => void;
  /** Told when it has broken off for good. */
  readonly onBroken: (error: ProxyError) => void;
}

/** The stream, or the want of one. */
export class Listening {
  readonly #options: ListeningOptions;
  #current: Run | undefined;
  #opening: Promise<KeptAnswer | undefined> | undefined;
  /** What the server said that offers no such stream (R89). */
  #refused: KeptAnswer | undefined;
  #wake: (() => void) | undefined;
  #ended = false;

  /** Not open yet. */
  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  /**
   * Opens it, once for all who ask; undefined where it is open, otherwise what the server said.
   *
   * @throws {ProxyError} where the server could not be asked
   */
  open(): Promise<KeptAnswer | undefined> {
    if (this.#current !== undefined) return Promise.resolve(undefined);
    if (this.#refused !== undefined) return Promise.resolve(this.#refused);
    return this.#opening ??= this.#begin().finally(() => this.#opening = undefined);
  }

  /** Closes it: nobody listens any more. */
  close(): void {
    const run = this.#current;
    this.#current = undefined;
    run?.stop();
  }

  /** Closes it for good. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
    this.close();
  }

  /** The session is another one: opens it there, where it was open, and asks anew where it was refused. */
  restart(): void {
    this.#refused = undefined;
    // One that is being opened again finds the new session by itself.
    if (this.#current === undefined || !this.#current.startsAnew()) return;
    this.close();
    this.#run(new Run(this.#options));
  }

  async #begin(): Promise<KeptAnswer | undefined> {
    const { clock, backOff } = this.#options;
    for (let attempt = 0;; attempt++) {
      const answer = await this.#options.listen(() => undefined);
      if (answer.status === 200 && answer.kind === "sse") {
        this.#run(new Run(this.#options), answer.body);
        return undefined;
      }
      const kept = await keep(answer, MAX_REFUSAL_BYTES);
      if (kept.status === 405) this.#refused = kept;
      // A server that takes one stream may not have noticed yet that the last one was closed.
      if (kept.status !== 409 || attempt >= backOff.attempts || this.#ended) return kept;
      const random = clock.randomBytes(1)[0]! / 256;
      await this.#wait(delayBefore(attempt, undefined, random, backOff));
    }
  }

  async #wait(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(delayMs, resolve);
    this.#wake = resolve;
    await promise;
    timer.cancel();
  }

  /** Reads in the background, to the end of all attempts. */
  async #run(run: Run, body?: UpstreamBody): Promise<void> {
    this.#current = run;
    try {
      await run.read(body);
    } catch (error) {
      if (this.#current !== run) return;
      this.#current = undefined;
      this.#options.onBroken(toProxyError(error));
    }
  }
}

/** One time of listening, with its connections one after the other. */
class Run {
  readonly #options: ListeningOptions;
  readonly #reconnect: Reconnect;
  #body: UpstreamBody | undefined;
  #stopped = false;
  #isReading = false;
  #lastEventId: string | undefined;
  #retryMs: number | undefined;

  constructor(options: ListeningOptions) {
    this.#options = options;
    const { clock, backOff, listen } = options;
    this.#reconnect = new Reconnect({
      clock,
      backOff,
      // The event that counts when the wait is over: the session may have been made anew meanwhile.
      listen: () => listen(() => this.#lastEventId),
      onSessionGone: () => {},
      standing: true,
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#body?.discard();
    this.#reconnect.stop();
  }

  /** Goes on behind no event any more; whether it still reads what it had. */
  startsAnew(): boolean {
    this.#lastEventId = undefined;
    return this.#isReading;
  }

  /** Rejects when the stream cannot be had any more; resolves once it was stopped. */
  async read(first: UpstreamBody | undefined): Promise<void> {
    const isOver = () => this.#stopped;
    let body = first ?? await this.#reconnect.again(undefined, undefined, isOver);
    let isFirst = first !== undefined;
    while (body !== undefined && !this.#stopped) {
      if (!isFirst && this.#lastEventId === undefined) this.#options.onGap();
      isFirst = false;
      this.#isReading = true;
      await this.#readOne(body);
      this.#isReading = false;
      if (this.#stopped) return;
      body = await this.#reconnect.after(this.#lastEventId, this.#retryMs, isOver);
    }
    body?.discard();
  }

  async #readOne(body: UpstreamBody): Promise<void> {
    const parser = new EventParser({ maxEventBytes: this.#options.maxEventBytes });
    this.#body = body;
    try {
      for (let pieces = await body.next(); pieces !== null; pieces = await body.next()) {
        for (const piece of pieces) this.#take(parser, piece);
      }
    } catch (error) {
      body.discard();
      if (!(error instanceof EventTooLargeError)) return;
      this.#takeAll(error.events);
      this.#options.onDropped("(event over the limit)");
      // It would come again.
      this.#lastEventId = undefined;
    }
  }

  #take(parser: EventParser, piece: Bytes): void {
    this.#takeAll(parser.feed(piece));
  }

  #takeAll(events: readonly SseEvent[]): void {
    if (this.#stopped) return;
    if (events.length > 0) this.#reconnect.delivered();
    for (const { id, retry, data } of events) {
      if (id !== undefined) this.#lastEventId = id === "" ? undefined : headerForm(id);
      if (retry !== undefined) this.#retryMs = retry;
      if (data === undefined || data.length === 0) continue;
      const body = readBody(decode(data));
      if (body === undefined) this.#options.onDropped("(no JSON-RPC)");
      for (const message of body?.messages ?? []) this.#options.receive(message);
    }
  }
}
