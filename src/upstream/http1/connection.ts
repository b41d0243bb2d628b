/**
 * One HTTP/1.1 connection: a request at a time, its answer read strictly.
 *
 * A read is always pending, also while the connection is unused: so its end, or bytes that nobody asked
 * for, are noticed before it is used again (R8), and the pending read becomes the answer's first.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import { isEventStream } from "../../sse/mod.ts";
import type { Bytes } from "../../http/mod.ts";
import {
  type AnswerFraming,
  answerFraming,
  type AnswerHead,
  AnswerHeadReader,
  BodyDecoder,
  HttpSyntaxError,
  ReadBuffer,
} from "../../http1/mod.ts";
import { AnswerBody } from "../answer_body.ts";
import { ArrivedBody } from "../arrived_body.ts";
import type { HttpAnswer } from "../http_client.ts";
import type { Call } from "./call.ts";
import { encodeRequest } from "./request.ts";

/** What a connection tells its pool. */
export interface ConnectionEvents {
  /** It carries an event stream from now on. */
  streaming(connection: Connection): void;
  /** Its answer is over and it may serve again; the server keeps it for so many seconds, if it says. */
  free(connection: Connection, keepAliveSeconds: number | undefined): void;
  /** It is closed. */
  gone(connection: Connection): void;
}

/** How long the rest of a request may take when its answer is over already, in milliseconds. */
const WRITE_GRACE_MS = 1_000;

/** Most interim answers (1xx) before a final one. */
const MAX_INTERIM_ANSWERS = 16;

/** One connection to a server. */
export class Connection {
  readonly #conn: Deno.Conn;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #buffer = new ReadBuffer();
  readonly #heads = new AnswerHeadReader();
  readonly #onRead = (length: number | null) =>
    length === null ? null : this.#buffer.taken(length, !this.#following);
  #pending: Promise<Bytes | null> | undefined;
  #closed = false;
  #reason: ProxyError | undefined;
  #idle = false;
  #used = false;
  #isWritten = false;
  #resume: (() => void) | undefined;
  #paused = false;
  /** Whether the rest of a body is read. */
  #following = false;

  /** Takes a connection over; `host` is what the Host field says. */
  constructor(conn: Deno.Conn, host: string, clock: Clock, events: ConnectionEvents) {
    this.#conn = conn;
    this.#host = host;
    this.#clock = clock;
    this.#events = events;
  }

  /** Whether it has served before. */
  get used(): boolean {
    return this.#used;
  }

  /** Waits unused from now on, and closes itself when the other side does or says anything. */
  rest(): void {
    this.#idle = true;
    this.#read().then(() => this.#idle && this.close(), () => this.#idle && this.close());
  }

  /** Closes it; harmless when it is closed. An answer under way fails with `reason`, where one is given. */
  close(reason?: ProxyError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reason = reason;
    this.#resume?.();
    this.#conn.close();
    this.#events.gone(this);
  }

  /**
   * Sends a call's request and resolves with the head of the answer.
   *
   * @throws {ProxyError} with `progress`; the connection is closed then.
   */
  async exchange(call: Call): Promise<HttpAnswer> {
    this.#idle = false;
    const progress = { requestSent: false, answerBegun: false };
    let givenUp: ProxyError | undefined;
    try {
      call.whenGivenUp((error) => {
        givenUp = error;
        // What is read or written now fails.
        this.close();
      });
      const pieces = encodeRequest(call.request, this.#host);
      this.#pending ??= this.#read();
      progress.requestSent = true;
      const written = this.#write(pieces);
      for (let interim = 0; interim <= MAX_INTERIM_ANSWERS;) {
        const piece = await this.#next();
        if (piece === null) throw closedEarly();
        progress.answerBegun = true;
        for (let rest: Bytes = piece; rest.length > 0;) {
          const result = this.#heads.feed(rest);
          if (result === undefined) break;
          rest = rest.subarray(result.consumed);
          const { status } = result.head;
          if (status >= 200) return this.#begin(call, result.head, rest, written);
          if (status === 101) throw new HttpSyntaxError("it switches protocols unasked");
          interim++;
        }
      }
      throw new HttpSyntaxError(`more than ${MAX_INTERIM_ANSWERS} interim answers`);
    } catch (error) {
      this.close();
      throw toFailure(givenUp ?? this.#reason ?? error, progress);
    } finally {
      this.#used = true;
    }
  }

  /** The final head is there: hands its answer out and has the body follow. */
  #begin(call: Call, head: AnswerHead, rest: Bytes, written: Promise<boolean>): HttpAnswer {
    const framing = answerFraming(call.request.method, head);
    const isStream = isEventStream(head.fields.first("content-type"));
    const { timeouts } = call.request;
    call.settle();
    if (isStream) {
      this.#heads.forget();
      this.#events.streaming(this);
    }
    const { status, fields } = head;
    if (framing.body.kind === "length" && framing.body.bytes === rest.length) {
      // All of it came with the head: the usual answer.
      this.#finish(framing, false, written);
      return { status, fields, body: new ArrivedBody(rest) };
    }
    // The answer before may have come to its end while its reader held it back.
    this.#paused = false;
    const body = new AnswerBody({
      pause: () => this.#paused = true,
      resume: () => {
        this.#paused = false;
        this.#resume?.();
      },
      abort: () => this.close(),
    }, {
      clock: this.#clock,
      idleMs: isStream ? timeouts.streamIdleMs : timeouts.bodyIdleMs,
      untilMs: isStream ? Infinity : call.startedMs + timeouts.totalMs,
    });
    this.#follow(framing, body, rest, written);
    return { status, fields, body };
  }

  /** Takes what came with the head and reads the rest of a body; never rejects. */
  async #follow(
    framing: AnswerFraming,
    body: AnswerBody,
    rest: Bytes,
    written: Promise<boolean>,
  ): Promise<void> {
    try {
      this.#following = true;
      const decoder = new BodyDecoder(framing.body);
      const push = (data: Bytes) => body.push(data);
      const used = decoder.feed(rest, push);
      if (decoder.done) {
        body.finish();
        return this.#finish(framing, used < rest.length, written);
      }
      for (;;) {
        if (this.#paused) await new Promise<void>((resolve) => this.#resume = resolve);
        const piece = await this.#next();
        if (piece === null) {
          if (framing.body.kind !== "close") throw closedEarly();
          body.finish();
          return this.#finish(framing, true, written);
        }
        const used = decoder.feed(piece, push);
        if (decoder.done) {
          body.finish();
          return this.#finish(framing, used < piece.length, written);
        }
      }
    } catch (error) {
      body.fail(toFailure(this.#reason ?? error, { requestSent: true, answerBegun: true }));
      this.close();
    }
  }

  /** The body is whole: the connection rests, unless anything about it is doubtful. */
  #finish(framing: AnswerFraming, stray: boolean, written: Promise<boolean>): void {
    this.#following = false;
    if (stray || !framing.reusable || this.#closed) return this.close();
    if (this.#isWritten) return this.#events.free(this, framing.keepAliveSeconds);
    this.#isOut(written).then((isOut) => {
      if (!isOut || this.#closed) return this.close();
      this.#events.free(this, framing.keepAliveSeconds);
    });
  }

  /** Whether the request is out, too; after an early answer the rest of it is not waited for long. */
  async #isOut(written: Promise<boolean>): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#clock.after(WRITE_GRACE_MS, () => resolve(false));
    try {
      return await Promise.race([written, late]);
    } finally {
      timer.cancel();
    }
  }

  /** Writes all; whether it could. What a failure means, the reading side finds out. */
  async #write(pieces: readonly Uint8Array[]): Promise<boolean> {
    this.#isWritten = false;
    try {
      for (const piece of pieces) {
        let at = 0;
        while (at < piece.length) at += await this.#conn.write(piece.subarray(at));
      }
      this.#isWritten = true;
      return true;
    } catch {
      return false;
    }
  }

  #next(): Promise<Bytes | null> {
    const pending = this.#pending ?? this.#read();
    this.#pending = undefined;
    return pending;
  }

  #read(): Promise<Bytes | null> {
    return this.#pending = this.#conn.read(this.#buffer.target()).then(this.#onRead);
  }
}

function closedEarly(cause?: unknown): ProxyError {
  const sentence = "The upstream server closed the connection before its answer was complete.";
  return new ProxyError("upstream_closed", sentence, { cause });
}

/** What was thrown as one of the proxy's kinds, with how far the exchange had come. */
function toFailure(
  thrown: unknown,
  progress: { readonly requestSent: boolean; readonly answerBegun: boolean },
): ProxyError {
  const error = thrown instanceof ProxyError ? thrown : toKind(thrown);
  return new ProxyError(error.kind, error.message, {
    cause: error.cause,
    headers: error.headers,
    progress: { ...progress },
  });
}

function toKind(thrown: unknown): ProxyError {
  if (thrown instanceof HttpSyntaxError) {
    const sentence = "The upstream server's answer is not valid HTTP.";
    return new ProxyError("upstream_protocol", sentence, { cause: thrown });
  }
  if (thrown instanceof TypeError) {
    const sentence = "The proxy could not write this request for the upstream server.";
    return new ProxyError("internal", sentence, { cause: thrown });
  }
  return closedEarly(thrown);
}
