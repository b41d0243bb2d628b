/**
 * An event stream that passes as bytes: nobody looks into its events.
 *
 * What is added to the bytes: comments while it is silent (R52), an error in place of an answer that never
 * came (R58), and the result of a subscription that the proxy ends (R68).
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import { type ProxyError, toProxyError } from "../errors.ts";
import type { AnswerSource, Bytes } from "../http/mod.ts";
import { errorEvent, noAnswer } from "./failure.ts";
import { keepAlive } from "./keep_alive.ts";
import { subscriptionOver } from "./notices.ts";
import { StreamTail } from "./tail.ts";
import type { StreamTraffic } from "./traffic.ts";

/** How a stream passes. */
export interface PassingOptions {
  /** Time; one whose timers are shared. */
  readonly clock: Clock;
  /** The longest silence, in milliseconds; 0 for any. */
  readonly keepAliveMs: number;
  /** The exact text of the id of the request that the stream answers; undefined where it answers none. */
  readonly idText: string | undefined;
  /**
   * The exact text of the id of the `subscriptions/listen` whose stream it is; left out for every other stream,
   * and for the streams of earlier revisions, which end without a word.
   */
  readonly subscription?: string | undefined;
  /** Whether a client that has seen an event id may come back for the rest: not in 2026-07-28. */
  readonly resumable: boolean;
  /** Told once where the client gets an error, or a cut, in place of the answer; left out where nobody asks. */
  readonly onFailed?: ((error: ProxyError) => void) | undefined;
  /** Counts what the client takes, in bytes alone; left out for a stream without a session. */
  readonly traffic?: StreamTraffic | undefined;
}

/** What comes next of a stream, null at its end. */
export type Pieces = readonly Bytes[] | null;

/** The same stream for one client. */
export class PassingStream implements AnswerSource {
  readonly #source: AnswerSource;
  #idText: string | undefined;
  readonly #onFailed: PassingOptions["onFailed"];
  readonly #subscription: string | undefined;
  readonly #resumable: boolean;
  readonly #traffic: StreamTraffic | undefined;
  readonly #tail: StreamTail;
  readonly #keepAlive: Timer;
  #coming: Promise<Pieces> | undefined;
  #reader: PromiseWithResolvers<Pieces> | undefined;
  #passed = false;
  #over = false;
  /** Whether the proxy ends it, and not the server. */
  #dismissed = false;

  /** Passes `source` on, which it owns from now on. */
  constructor(source: AnswerSource, options: PassingOptions) {
    const { clock, keepAliveMs, idText, subscription, resumable, traffic, onFailed } = options;
    this.#source = source;
    this.#idText = idText;
    this.#subscription = subscription;
    this.#resumable = resumable;
    this.#tail = new StreamTail(resumable);
    this.#traffic = traffic;
    this.#onFailed = onFailed;
    this.#keepAlive = keepAlive(clock, keepAliveMs, this);
  }

  /** See `AnswerSource`. */
  next(): Pieces | Promise<Pieces> {
    if (this.#over) return null;
    try {
      const coming = this.#coming ?? this.#source.next();
      if (!(coming instanceof Promise)) return this.#pass(coming);
      this.#coming = coming;
      return this.#await(coming);
    } catch (error) {
      return this.#broken(error);
    }
  }

  /** See `AnswerSource`. */
  get ended(): boolean {
    return this.#over;
  }

  /** See `AnswerSource`. */
  discard(): void {
    this.#end();
    this.#source.discard();
  }

  /** Ends it here and now, behind what has come of `body`, which it is the stream of. */
  end(body: { end(): void }): void {
    this.#dismissed = true;
    body.end();
  }

  /** The client has cancelled its request and waits for no answer, until what this gives is called. */
  cancel(requestId: unknown): () => void {
    const idText = this.#idText;
    if (idText === undefined || JSON.parse(idText) !== requestId) return () => {};
    this.#idText = undefined;
    return () => void (this.#idText = idText);
  }

  /** Whether the client waits between two events, and nothing has passed since this was last asked. */
  quiet(): boolean {
    const quiet = !this.#passed && this.#reader !== undefined && this.#tail.between;
    this.#passed = false;
    return quiet;
  }

  /** Gives the waiting client a comment. */
  push(bytes: Bytes): void {
    this.#passed = true;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) this.#traffic?.took(bytes.length, 0);
    reader?.resolve([bytes]);
  }

  #await(coming: Promise<Pieces>): Promise<Pieces> {
    const reader = this.#reader = Promise.withResolvers<Pieces>();
    const settle = (give: () => Pieces): void => {
      // One that got a comment asks again, and finds what is coming then.
      if (this.#reader !== reader) return;
      this.#reader = undefined;
      this.#coming = undefined;
      try {
        reader.resolve(give());
      } catch (error) {
        reader.reject(error);
      }
    };
    coming.then(
      (pieces) => settle(() => this.#pass(pieces)),
      (error) => settle(() => this.#broken(error)),
    );
    return reader.promise;
  }

  #pass(pieces: Pieces): Pieces {
    this.#passed = true;
    if (pieces !== null) {
      for (const piece of pieces) {
        this.#tail.feed(piece);
        this.#traffic?.took(piece.length, 0);
      }
      return pieces;
    }
    this.#end();
    if (this.#mayTakeLeave()) return this.#say(subscriptionOver(this.#subscription!));
    return this.#isAnswered() ? null : this.#fail(noAnswer());
  }

  /**
   * Whether the client is told that its subscription has ended as it should: not in the middle of an event, nor
   * before the acknowledgement, which has to be first, nor where the upstream has said it.
   */
  #mayTakeLeave(): boolean {
    const { between, sawData, answered } = this.#tail;
    return this.#dismissed && this.#subscription !== undefined && between && sawData &&
      answered !== "yes";
  }

  #broken(error: unknown): Pieces {
    this.#end();
    const told = toProxyError(error);
    if (this.#isAnswered()) throw told;
    return this.#fail(told);
  }

  /** The answer will not come: the client is told, but for inside of an event. */
  #fail(error: ProxyError): Pieces {
    this.#onFailed?.(error);
    if (!this.#tail.between) throw error;
    return this.#say(errorEvent(error, this.#idText!));
  }

  #say(event: Bytes): Pieces {
    this.#traffic?.took(event.length, 0);
    return [event];
  }

  /** Whether the client waits for no answer any more, or can ask for the rest with an event id. */
  #isAnswered(): boolean {
    const mayComeBack = this.#resumable && this.#tail.sawId;
    return this.#idText === undefined || this.#tail.answered !== "no" || mayComeBack;
  }

  #end(): void {
    this.#over = true;
    this.#traffic?.close();
    this.#keepAlive.cancel();
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.resolve(null);
  }
}
