/**
 * A POST whose requests wait for their responses: JSON where the responses come first, an event stream where
 * anything else does.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import { errorBody, ProxyError } from "../errors.ts";
import type { CancelSignal } from "../http/mod.ts";
import { jsonAnswer } from "./answers.ts";
import { joined, type Key } from "./text.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import type { EventBody } from "./event_body.ts";
import type { FlowReader } from "./flow.ts";

/** What an exchange is made of. */
export interface ExchangeOptions {
  /** Time. */
  readonly clock: Clock;
  /** Whether the requests came as an array. */
  readonly batch: boolean;
  /** The requests that went to the server: the texts of their ids by their keys. */
  readonly asked: ReadonlyMap<Key, string>;
  /** Responses that are there already. */
  readonly ready: readonly string[];
  /** Longest wait for the first that comes, in milliseconds. */
  readonly firstMessageMs: number;
  /** Aborted when nobody waits any more. */
  readonly signal: CancelSignal;
  /** A stream for its reader. */
  readonly openBody: () => EventBody;
  /** Nothing came in time. */
  readonly onTimeout: () => void;
  /** See `UpstreamCall.onFailed`. */
  readonly onFailed?: ((error: ProxyError) => void) | undefined;
}

/** One POST. */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #head = Promise.withResolvers<UpstreamAnswer>();
  readonly #unanswered: Map<Key, string>;
  readonly #responses: string[];
  readonly #deadline: Timer;
  #body: EventBody | undefined;
  /** What became of it where nothing else did: its status and fields are those of the answer. */
  #failure: ProxyError | undefined;
  #headSettled = false;
  readonly #giveUp = () => {
    this.#settleHead();
    this.#head.reject(new ProxyError("client_closed", "The client has gone."));
  };

  /** An exchange for which nothing has come. */
  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#unanswered = new Map(options.asked);
    this.#responses = [...options.ready];
    // Whoever waits hears of it; where nobody does any more, it is no failure of the proxy's.
    this.#head.promise.catch(() => {});
    this.#deadline = options.clock.after(options.firstMessageMs, options.onTimeout);
    if (options.signal.aborted) this.#giveUp();
    options.signal.addEventListener("abort", this.#giveUp, { once: true });
    this.#complete();
  }

  /**
   * The answer, as soon as it is known what it is.
   *
   * @throws {ProxyError} `client_closed` where the signal was aborted
   */
  get answer(): Promise<UpstreamAnswer> {
    return this.#head.promise;
  }

  /** Whether anybody waits for what comes. */
  get attended(): boolean {
    return this.#body === undefined ? !this.#headSettled : !this.#body.isOver;
  }

  /** Whether somebody is there for what comes, and it is not only kept for a client that may come back. */
  get isRead(): boolean {
    return this.#body === undefined ? !this.#headSettled : this.#body.isRead;
  }

  /** The text of the id of one of its requests. */
  idText(key: Key): string | undefined {
    return this.#options.asked.get(key);
  }

  /** Whether this is its reader. */
  reads(reader: FlowReader): boolean {
    return this.#body === reader;
  }

  /** The answer will be a stream, whatever comes on it. */
  open(): void {
    this.#stream();
  }

  /** A request or notification of the server that belongs to it, or that nobody else can be told. */
  tell(text: string): void {
    this.#stream()?.push(text);
  }

  /** The response to one of its requests. */
  respond(key: Key, text: string): void {
    if (!this.#unanswered.delete(key)) return;
    if (this.#body !== undefined) this.#body.push(text);
    else this.#responses.push(text);
    this.#failure = undefined;
    this.#complete();
  }

  /** All responses that have not come are this error. */
  fail(error: ProxyError): void {
    const isWhole = this.#responses.length === 0;
    const isTold = this.attended && this.#unanswered.size > 0;
    // Otherwise the answer has it as its `failure`.
    if (isTold && (this.#body !== undefined || !isWhole)) this.#options.onFailed?.(error);
    for (const idText of this.#unanswered.values()) {
      const text = errorBody(error.withId(idText));
      if (this.#body !== undefined) this.#body.push(text);
      else this.#responses.push(text);
    }
    this.#unanswered.clear();
    this.#failure = isWhole ? error : undefined;
    this.#complete();
  }

  /** One of its requests gets no response: its client has cancelled it. */
  withdraw(key: Key): void {
    if (this.#unanswered.delete(key)) this.#complete();
  }

  /**
   * The answer of a server that is no JSON-RPC response, to the one request there is; false where there are
   * others, or their answer has begun.
   */
  pass(answer: UpstreamAnswer): boolean {
    if (this.#options.batch || this.#body !== undefined || this.#headSettled) return false;
    this.#unanswered.clear();
    this.#settleHead();
    this.#head.resolve(answer);
    return true;
  }

  #complete(): void {
    if (this.#unanswered.size > 0) return;
    if (this.#body !== undefined) return this.#body.end();
    if (this.#headSettled) return;
    if (this.#responses.length === 0) return this.#stream()?.end();
    this.#settleHead();
    const { clock, batch } = this.#options;
    const text = joined(this.#responses, batch);
    const answer = jsonAnswer(clock, this.#failure?.status ?? 200, text);
    const made = this.#options.asked.size === 0 ? null : this.#failure;
    for (const [name, value] of Object.entries(this.#failure?.headers ?? {})) {
      answer.headers.set(name, value);
    }
    this.#head.resolve(made === undefined ? answer : { ...answer, failure: made });
  }

  /** The stream, which from now on it is; undefined where nobody waits. */
  #stream(): EventBody | undefined {
    if (this.#body !== undefined || this.#headSettled) return this.#body;
    this.#settleHead();
    const body = this.#options.openBody();
    this.#body = body;
    for (const text of this.#responses) body.push(text);
    this.#head.resolve(body.answer);
    return body;
  }

  #settleHead(): void {
    this.#headSettled = true;
    this.#deadline.cancel();
    this.#options.signal.removeEventListener("abort", this.#giveUp);
  }
}
