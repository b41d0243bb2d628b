/**
 * One request under way, as the handler sees it.
 *
 * @module
 */

import type { Deadlines } from "../deadlines.ts";
import { ProxyError } from "../errors.ts";
import type { AnswerSource, Bytes, CancelSignal, ClientRequest, FieldReader } from "../http/mod.ts";
import type { RequestHead } from "../http1/mod.ts";
import { Departure } from "./departure.ts";
import { RequestBody } from "./request_body.ts";
import type { BodyLimits } from "./server.ts";

/** What a request needs of its connection. */
export interface ExchangeControl {
  /** Bounds of the body. */
  readonly limits: BodyLimits;
  /** Deadlines of bodies. */
  readonly bodies: Deadlines;
  /** Reads on, where reading was paused. */
  resume(): void;
  /** Writes an interim answer. */
  write(interim: Uint8Array): Promise<void>;
}

const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/** A request, and what becomes of it. */
export class Exchange implements ClientRequest {
  /** The head of the request. */
  readonly head: RequestHead;
  /** Its body, as far as it has come. */
  readonly received: RequestBody;
  /** The body of the answer, while it is written bit by bit. */
  source: AnswerSource | undefined;
  /** Whether the head of the answer is out, or on its way. */
  answered = false;
  /** The answer that was given ahead of the handler's promise: whether the connection may serve again. */
  delivered: Promise<boolean> | undefined;
  /** Resolves when the interim answer, if there is one, is out. */
  interim: Promise<void> | undefined;
  readonly #control: ExchangeControl;
  #departure: Departure | undefined;
  #departed = false;

  /** A request with this head. */
  constructor(head: RequestHead, control: ExchangeControl) {
    this.head = head;
    this.received = new RequestBody(head.body, control.limits.maxRequestBytes);
    this.#control = control;
  }

  /** See `ClientRequest`. */
  get method(): string {
    return this.head.method;
  }

  /** See `ClientRequest`. */
  get target(): string {
    return this.head.target;
  }

  /** See `ClientRequest`. */
  get headers(): FieldReader {
    return this.head.fields;
  }

  /** See `ClientRequest`. */
  get signal(): CancelSignal {
    this.#departure ??= new Departure();
    if (this.#departed) this.#departure.abort();
    return this.#departure;
  }

  /** See `ClientRequest`. */
  body(): Bytes | Promise<Bytes> {
    const { limits, bodies } = this.#control;
    const body = this.received.read(bodies, limits.requestBodyTimeoutMs);
    if (this.received.done) return body;
    // Said now, since a client that waits for it may be told 413 or 415 instead (RFC 9110 10.1.1).
    if (this.head.expectsContinue && !this.received.begun) {
      this.interim = this.#control.write(CONTINUE).catch(() => {
        // The connection is closed then, and the body fails.
      });
    }
    this.#control.resume();
    return body;
  }

  /** The client has gone. */
  depart(): void {
    if (this.#departed) return;
    this.#departed = true;
    this.received.fail(new ProxyError("client_closed", "The request body broke off."));
    this.#departure?.abort();
    this.source?.discard();
  }
}
