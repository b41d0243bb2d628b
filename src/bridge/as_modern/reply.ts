/**
 * The answer to one POST of a modern client: JSON where the response comes first, an event stream where a
 * notification does.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Receiving Messages" and "Cancellation".
 *
 * @module
 */

import type { Clock, Timer } from "../../clock.ts";
import { errorBody, ProxyError } from "../../errors.ts";
import { type CancelSignal, Fields } from "../../http/mod.ts";
import { jsonAnswer } from "../../rpc/mod.ts";
import { encodeEvent, EVENT_STREAM } from "../../sse/mod.ts";
import { AnswerBody, type UpstreamAnswer } from "../../upstream/mod.ts";
import type { Told } from "./toward_client.ts";

/** What an answer works with, and what it tells. */
export interface ReplyOptions {
  /** Time. */
  readonly clock: Clock;
  /** The text of the id of the request. */
  readonly idText: string;
  /** Aborted when the client has closed its connection. */
  readonly signal: CancelSignal;
  /** Longest silence inside of the stream, in milliseconds. */
  readonly streamIdleMs: number;
  /** Longest wait for the first message, in milliseconds. */
  readonly firstMessageMs: number;
  /** See `UpstreamCall.onFailed`. */
  readonly onFailed?: ((error: ProxyError) => void) | undefined;
  /** Told once when the client has left ahead of the response, or was told that it took too long. */
  readonly onLeft: () => void;
}

/** One answer. */
export class Reply {
  /** The text of the id of the request. */
  readonly idText: string;
  readonly #options: ReplyOptions;
  readonly #head = Promise.withResolvers<UpstreamAnswer>();
  readonly #deadline: Timer;
  readonly #leave = () => this.#left();
  #body: AnswerBody | undefined;
  #over = false;
  #mayWait = false;
  #room: PromiseWithResolvers<void> | undefined;

  /** An answer of which nothing has come. */
  constructor(options: ReplyOptions) {
    this.#options = options;
    this.idText = options.idText;
    // Whoever waits hears of it.
    this.#head.promise.catch(() => {});
    this.#deadline = options.clock.after(options.firstMessageMs, () => this.#timeOut());
    options.signal.addEventListener("abort", this.#leave, { once: true });
    if (options.signal.aborted) this.#left();
  }

  /**
   * The answer, as soon as it is known what it is.
   *
   * @throws {ProxyError} `client_closed` where the client has left before
   */
  get answer(): Promise<UpstreamAnswer> {
    return this.#head.promise;
  }

  /** Whether nobody can be told anything any more. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Resolves when there is room for more: at once, but for a client that does not read. */
  get room(): Promise<void> | undefined {
    return this.#room?.promise;
  }

  /**
   * The server has begun a stream: it may be silent for as long as inside of one, and what passes between keeps
   * the client's connection once the wait for the first message, which may be an error with a status, is over.
   */
  streams(): void {
    this.#mayWait = true;
  }

  /** A notification ahead of the response. */
  tell(text: string): void {
    if (!this.#over) this.#begin().push(encodeEvent({ event: "message", data: text }));
  }

  /** The response; nothing follows it. */
  respond({ status, text }: Told): void {
    if (this.#over) return;
    if (this.#body === undefined) this.pass(jsonAnswer(this.#options.clock, status, text));
    else {
      this.tell(text);
      this.#settle();
      this.#body.finish();
    }
  }

  /** The answer of the server as it came, where nothing was told yet and the client has not left. */
  pass(answer: UpstreamAnswer): void {
    this.#settle();
    this.#head.resolve({ ...answer, sessionId: undefined });
  }

  /** The response is this error. */
  fail(error: ProxyError): void {
    const text = errorBody(error.withId(this.idText));
    if (this.#body !== undefined && !this.#over) this.#options.onFailed?.(error);
    if (this.#body !== undefined || this.#over) return this.respond({ status: error.status, text });
    this.#settle();
    this.#head.reject(error);
  }

  /** The body of the stream that the answer is from now on. */
  #begin(): AnswerBody {
    if (this.#body !== undefined) return this.#body;
    const body = this.#openBody();
    this.#body = body;
    this.#deadline.cancel();
    const headers = new Fields(["content-type", EVENT_STREAM]);
    this.#head.resolve({ status: 200, headers, sessionId: undefined, kind: "sse", body });
    return body;
  }

  #openBody(): AnswerBody {
    const { clock, streamIdleMs } = this.#options;
    const control = {
      pause: () => this.#room ??= Promise.withResolvers(),
      resume: () => this.#makeRoom(),
      abort: () => this.#left(),
    };
    return new AnswerBody(control, { clock, idleMs: streamIdleMs, untilMs: Infinity });
  }

  #timeOut(): void {
    if (this.#mayWait) return void this.#begin();
    this.fail(new ProxyError("upstream_timeout", "The upstream server took too long to answer."));
    this.#options.onLeft();
  }

  #left(): void {
    if (this.#over) return;
    this.#settle();
    this.#body?.discard();
    this.#head.reject(new ProxyError("client_closed", "The client has gone."));
    this.#options.onLeft();
  }

  #settle(): void {
    this.#over = true;
    this.#deadline.cancel();
    this.#options.signal.removeEventListener("abort", this.#leave);
    this.#makeRoom();
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
