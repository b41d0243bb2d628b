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

  /** A notification ahead of the response. */
  tell(text: string): void {
    if (this.#over) return;
    if (this.#body === undefined) {
      this.#body = this.#openBody();
      this.#deadline.cancel();
      const headers = new Fields(["content-type", EVENT_STREAM]);
      const head = { status: 200, headers, sessionId: undefined, kind: "sse" } as const;
      this.#head.resolve({ ...head, body: this.#body });
    }
    this.#body.push(encodeEvent({ event: "message", data: text }));
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
    if (this.#body !== undefined || this.#over) return this.respond({ status: error.status, text });
    this.#settle();
    this.#head.reject(error);
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
