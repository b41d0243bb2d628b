/**
 * One connection of a client: requests in, one at a time and in order, answers out.
 *
 * A read is always pending, also while a request is handled: so a client that leaves is noticed at
 * once (R54). What comes early is kept for the next request, up to `EARLY_BYTES`; only then reading pauses.
 *
 * @module
 */

import type { Timer } from "../clock.ts";
import type { Deadlines } from "../deadlines.ts";
import { errorBody, ProxyError, toProxyError } from "../errors.ts";
import { type Bytes, type ClientAnswer, type Handler, jsonAnswer } from "../http/mod.ts";
import { ReadBuffer, RequestHeadReader } from "../http1/mod.ts";
import {
  type AnswerFrame,
  bodyBytes,
  mayHaveBody,
  streamHead,
  wholeAnswer,
} from "./answer_bytes.ts";
import type { HttpDate } from "./date.ts";
import { Exchange, type ExchangeControl } from "./exchange.ts";
import { toRefusal } from "./refusal.ts";
import type { ServerEvents, ServerLimits } from "./server.ts";

/** What the connections of one listener share. */
export interface ConnectionContext {
  /** Answers the requests. */
  readonly handler: Handler;
  /** What clients may use. */
  readonly limits: ServerLimits;
  /** What is told. */
  readonly events: ServerEvents;
  /** Whether each connection is closed behind its next answer, which says so. */
  readonly isDraining: () => boolean;
  /** The value of Date. */
  readonly date: HttpDate;
  /** Deadlines of request heads. */
  readonly heads: Deadlines;
  /** Deadlines of request bodies. */
  readonly bodies: Deadlines;
  /** Deadlines of connections without a request. */
  readonly idle: Deadlines;
  /** Deadlines of writes, each from when the client last took something. */
  readonly writes: Deadlines;
  /** Deadlines of connections that are about to be closed. */
  readonly lingering: Deadlines;
  /** A connection is closed. */
  gone(connection: ServerConnection): void;
}

/** Bytes behind the request under way that are kept for the next one. */
const EARLY_BYTES = 65_536;

/** One connection. */
export class ServerConnection {
  readonly #conn: Deno.Conn;
  readonly #context: ConnectionContext;
  readonly #buffer = new ReadBuffer();
  readonly #heads = new RequestHeadReader();
  readonly #onRead = (length: number | null) => this.#take(length);
  readonly #onBroken = () => this.close();
  readonly #onStalled = () => this.#stalled();
  readonly #control: ExchangeControl;
  #early: Bytes[] = [];
  #earlyBytes = 0;
  #exchange: Exchange | undefined;
  #deadline: Timer | undefined;
  #reading = false;
  #lingering = false;
  #stopping = false;
  #closed = false;

  /** Takes a connection over; `start` or `turnAway` begins. */
  constructor(conn: Deno.Conn, context: ConnectionContext) {
    this.#conn = conn;
    this.#context = context;
    this.#control = {
      limits: context.limits,
      bodies: context.bodies,
      resume: () => this.#read(),
      write: (interim) => this.#write(interim),
    };
  }

  /** Waits for requests and answers them. */
  start(): void {
    // Until its first byte, as for any head: nobody connects without something to say.
    this.#deadline = this.#context.heads.start(() => this.#headTooLate());
    this.#read();
  }

  /** Answers with a refusal, whatever the client has to say, and closes. */
  async turnAway(error: ProxyError): Promise<void> {
    this.#read();
    await this.#refuse(error);
  }

  /** Closes now if no request is under way, and otherwise when it is answered. */
  stop(): void {
    this.#stopping = true;
    if (this.#lingering || (this.#exchange === undefined && !this.#heads.begun)) this.close();
  }

  /** Closes, and tells a request under way that its client has gone; harmless when it is closed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline?.cancel();
    this.#early = [];
    this.#conn.close();
    this.#exchange?.depart();
    this.#context.gone(this);
  }

  #read(): void {
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    this.#conn.read(this.#buffer.target()).then(this.#onRead, this.#onBroken);
  }

  #take(length: number | null): void {
    this.#reading = false;
    if (this.#closed) return;
    // A half-closed connection is taken for one whose client has gone.
    if (length === null) return this.close();
    this.#feed(this.#buffer.taken(length, this.#exchange === undefined));
    if (this.#wantsMore()) this.#read();
  }

  #wantsMore(): boolean {
    return this.#earlyBytes < EARLY_BYTES && this.#exchange?.received.full !== true;
  }

  /** Gives bytes to whom they belong: the body under way, the next request, or the one after it. */
  #feed(piece: Bytes): void {
    if (this.#lingering) return;
    if (this.#exchange === undefined) return this.#parse(piece);
    const rest = this.#exchange.received.take(piece);
    if (rest.length === 0) return;
    this.#early.push(rest);
    this.#earlyBytes += rest.length;
  }

  #parse(bytes: Bytes): void {
    const wasBegun = this.#heads.begun;
    try {
      const result = this.#heads.feed(bytes);
      if (result === undefined) {
        if (!wasBegun) this.#await(this.#context.heads, () => this.#headTooLate());
        return;
      }
      this.#deadline?.cancel();
      this.#exchange = new Exchange(result.head, this.#control);
      this.#feed(bytes.subarray(result.consumed));
      this.#serve(this.#exchange);
    } catch (error) {
      this.#refuse(toRefusal(error));
    }
  }

  /** Has a request answered, and goes on to the next one; never rejects. */
  async #serve(exchange: Exchange): Promise<void> {
    let kept = false;
    try {
      const answer = await this.#context.handler(exchange, (early) => {
        this.#deliver(exchange, early);
      });
      kept = await (exchange.delivered ?? this.#answer(exchange, answer));
    } catch (error) {
      if (this.#closed) return;
      if (!exchange.answered) return await this.#refuse(toProxyError(error));
      // The body of the answer broke off: the client sees a truncation.
      this.#context.events.cutShort(error);
      return this.close();
    }
    this.#exchange = undefined;
    if (this.#closed) return;
    if (kept && !this.#stopping) return this.#next();
    if (exchange.received.done && this.#earlyBytes === 0) return this.close();
    await this.#linger();
  }

  /** Answers ahead of the handler's promise; what goes wrong is told when that resolves. */
  #deliver(exchange: Exchange, answer: ClientAnswer): void {
    if (this.#closed || exchange !== this.#exchange || exchange.delivered !== undefined) return;
    exchange.delivered = this.#answer(exchange, answer);
    exchange.delivered.catch(() => {});
  }

  /** Waits for the next request, or begins it where it has come already. */
  #next(): void {
    if (this.#earlyBytes === 0) {
      this.#await(this.#context.idle, () => this.close());
    } else {
      const early = this.#early;
      this.#early = [];
      this.#earlyBytes = 0;
      this.#await(this.#context.heads, () => this.#headTooLate());
      for (const piece of early) this.#feed(piece);
    }
    if (this.#wantsMore()) this.#read();
  }

  /** Writes an answer; whether the connection may serve again. */
  async #answer(exchange: Exchange, answer: ClientAnswer): Promise<boolean> {
    const { head, received } = exchange;
    if (exchange.interim !== undefined) await exchange.interim;
    const kept = head.persistent && received.done && !this.#stopping && !this.#context.isDraining();
    if (!received.done) {
      // The rest of the body is not waited for; it is read over, so that a departure is still seen.
      received.drop();
      this.#read();
    }
    const frame: AnswerFrame = {
      minor: head.minor,
      headOnly: head.method === "HEAD",
      close: !kept,
      date: this.#context.date.text(),
    };
    if (answer.body === null || answer.body instanceof Uint8Array) {
      const pieces = wholeAnswer(answer, frame);
      exchange.answered = true;
      for (const piece of pieces) await this.#write(piece);
      return kept;
    }
    await this.#stream(exchange, answer, frame);
    return kept;
  }

  /** Writes an answer bit by bit: in chunks, or to the end of the connection of a client of HTTP/1.0. */
  async #stream(
    exchange: Exchange,
    answer: ClientAnswer,
    frame: AnswerFrame,
  ): Promise<void> {
    const source = answer.body as Exclude<ClientAnswer["body"], Uint8Array | null>;
    const chunked = frame.minor === 1;
    let head: Bytes | undefined = streamHead(answer, frame);
    exchange.answered = true;
    if (!mayHaveBody(answer, frame) || this.#closed) {
      source.discard();
      return await this.#write(head);
    }
    exchange.source = source;
    this.#heads.forget();
    for (;;) {
      let coming;
      try {
        coming = source.next();
      } catch (error) {
        // What has broken off already breaks off behind its head: without one it would be no answer.
        if (head !== undefined) await this.#write(head);
        throw error;
      }
      if (coming instanceof Promise) {
        // The head does not wait for the first byte of the body.
        if (head !== undefined) await this.#write(head);
        head = undefined;
        coming = await coming;
      }
      const ended = coming === null || source.ended;
      const bytes = bodyBytes(head, coming ?? [], chunked, ended);
      if (bytes.length > 0) await this.#write(bytes);
      head = undefined;
      if (ended) return;
    }
  }

  /** Answers something that is no request, and closes. */
  async #refuse(error: ProxyError): Promise<void> {
    this.#lingering = true;
    this.#await(this.#context.lingering, () => this.close());
    this.#context.events.refused(error);
    const answer = jsonAnswer(error.status, errorBody(error), error.headers);
    const frame: AnswerFrame = {
      minor: 1,
      headOnly: false,
      close: true,
      date: this.#context.date.text(),
    };
    try {
      for (const piece of wholeAnswer(answer, frame)) await this.#write(piece);
      await this.#linger();
    } catch {
      this.close();
    }
  }

  /**
   * Says that no more will be written, and reads over what still comes: a connection that is closed with
   * bytes unread is reset, and the client may then lose the answer (RFC 9112 section 9.6).
   */
  async #linger(): Promise<void> {
    this.#lingering = true;
    this.#early = [];
    this.#earlyBytes = 0;
    this.#await(this.#context.lingering, () => this.close());
    this.#read();
    try {
      await this.#conn.closeWrite();
    } catch {
      this.close();
    }
  }

  #await(deadlines: Deadlines, onPassed: () => void): void {
    this.#deadline?.cancel();
    this.#deadline = this.#closed ? undefined : deadlines.start(onPassed);
  }

  #headTooLate(): void {
    if (!this.#heads.begun) return this.close();
    const sentence = "The head of the request did not arrive in time.";
    this.#refuse(new ProxyError("head_timeout", sentence));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      let at = await this.#writeSome(bytes);
      while (at < bytes.length) at += await this.#writeSome(bytes.subarray(at));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** R53: a client that takes nothing for too long is dropped, and its answer given up. */
  async #writeSome(bytes: Uint8Array): Promise<number> {
    const writing = this.#conn.write(bytes);
    const deadline = this.#context.writes.start(this.#onStalled);
    try {
      return await writing;
    } finally {
      deadline.cancel();
    }
  }

  #stalled(): void {
    if (this.#closed) return;
    const sentence = "The client took nothing of its answer for too long.";
    this.#context.events.cutShort(new ProxyError("client_closed", sentence));
    this.close();
  }
}
