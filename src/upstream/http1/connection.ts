/**
 * One HTTP/1.1 connection: a request at a time, its answer read strictly.
 *
 * A read is always pending, also while the connection is unused: so its end, or bytes that nobody asked
 * for, are noticed before it is used again (R8), and the pending read becomes the answer's first. What it brings
 * is dealt with at once, without a promise in between: each would be felt in every call (bench/NOTES.md).
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import {
  ANSWERING,
  type ExchangeProgress,
  NOTHING_SENT,
  ProxyError,
  stopping,
} from "../../errors.ts";
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

/** A request whose answer has not begun. */
interface Asked {
  readonly call: Call;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: ProxyError) => void;
  /** Whether any byte of it may have left. */
  requestSent: boolean;
  /** Whether any byte of an answer has come. */
  answerBegun: boolean;
  interims: number;
  /** Resolves when all of it is out, with whether it could be written. */
  written: Promise<boolean>;
}

/** A body of which more comes. */
interface Following {
  readonly framing: AnswerFraming;
  readonly decoder: BodyDecoder;
  readonly body: AnswerBody;
  readonly push: (data: Bytes) => void;
  readonly written: Promise<boolean>;
}

const WRITTEN = Promise.resolve(true);

/** One connection to a server. What is read is dealt with as it comes: as a head, a body, or what nobody asked for. */
export class Connection {
  readonly #conn: Deno.Conn;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #buffer = new ReadBuffer();
  readonly #heads = new AnswerHeadReader();
  readonly #onRead = (length: number | null) => this.#took(length);
  readonly #onBroken = (error: unknown) => this.#broke(error);
  #reading = false;
  #closed = false;
  #used = false;
  #isWritten = false;
  #paused = false;
  #asked: Asked | undefined;
  #following: Following | undefined;

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
    this.#read();
  }

  /** Closes it; harmless when it is closed. An answer under way fails with `reason`, where one is given. */
  close(reason?: unknown): void {
    this.#end((progress) => toFailure(reason ?? closedEarly(), progress));
  }

  /** Closes it because the proxy will not use it any more: an answer under way fails with `stopping`. */
  stop(): void {
    this.#end(({ requestSent, answerBegun }) => stopping({ requestSent, answerBegun }));
  }

  #end(failure: (progress: ExchangeProgress) => ProxyError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
    this.#events.gone(this);
    const asked = this.#asked;
    const following = this.#following;
    this.#asked = this.#following = undefined;
    asked?.reject(failure(asked));
    following?.body.fail(failure(ANSWERING));
  }

  /**
   * Sends a call's request and resolves with the head of the answer.
   *
   * @throws {ProxyError} with `progress`; the connection is closed then.
   */
  exchange(call: Call): Promise<HttpAnswer> {
    if (this.#closed) return Promise.reject(toFailure(closedEarly(), NOTHING_SENT));
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const asked: Asked = {
      call,
      resolve,
      reject,
      requestSent: false,
      answerBegun: false,
      interims: 0,
      written: WRITTEN,
    };
    this.#asked = asked;
    this.#used = true;
    try {
      call.whenGivenUp((error) => this.close(error));
      const pieces = encodeRequest(call.request, this.#host);
      asked.requestSent = true;
      asked.written = this.#write(pieces);
      this.#read();
    } catch (error) {
      this.close(error);
    }
    return promise;
  }

  #took(length: number | null): void {
    this.#reading = false;
    if (this.#closed) return;
    if (length === null) return this.#ended();
    const asked = this.#asked;
    const following = this.#following;
    const piece = this.#buffer.taken(length, following === undefined);
    try {
      if (asked !== undefined) this.#takeHead(asked, piece);
      else if (following !== undefined) this.#takeBody(following, piece);
      // Nobody has asked for it (R8).
      else this.close();
    } catch (error) {
      this.close(error);
    }
  }

  /** The other side says no more. */
  #ended(): void {
    const following = this.#following;
    if (following?.framing.body.kind !== "close") return this.close();
    following.body.finish();
    this.#finish(following.framing, true, following.written);
  }

  #broke(error: unknown): void {
    this.#reading = false;
    this.close(error);
  }

  /** Takes bytes of the answer's head, and what comes with it of the body. */
  #takeHead(asked: Asked, piece: Bytes): void {
    asked.answerBegun = true;
    for (let rest = piece; rest.length > 0;) {
      const result = this.#heads.feed(rest);
      if (result === undefined) break;
      rest = rest.subarray(result.consumed);
      const { status } = result.head;
      if (status >= 200) return this.#begin(asked, result.head, rest);
      if (status === 101) throw new HttpSyntaxError("it switches protocols unasked");
      if (++asked.interims > MAX_INTERIM_ANSWERS) {
        throw new HttpSyntaxError(`more than ${MAX_INTERIM_ANSWERS} interim answers`);
      }
    }
    this.#read();
  }

  /** The final head is there: hands its answer out and has the body follow. */
  #begin(asked: Asked, head: AnswerHead, rest: Bytes): void {
    const { call, written } = asked;
    const { timeouts, method, onWhole } = call.request;
    const { status, fields } = head;
    const framing = answerFraming(method, head);
    this.#asked = undefined;
    if (framing.body.kind === "length" && framing.body.bytes === rest.length) {
      // All of it came with the head: the usual answer.
      const answer: HttpAnswer = { status, fields, body: new ArrivedBody(rest) };
      asked.resolve(answer);
      onWhole?.(answer);
      call.settle();
      return this.#finish(framing, false, written);
    }
    call.settle();
    const isStream = isEventStream(fields.first("content-type"));
    if (isStream) {
      this.#heads.forget();
      this.#events.streaming(this);
    }
    this.#paused = false;
    const body = new AnswerBody({
      pause: () => this.#paused = true,
      resume: () => {
        this.#paused = false;
        this.#read();
      },
      abort: () => this.close(),
    }, {
      clock: this.#clock,
      idleMs: isStream ? timeouts.streamIdleMs : timeouts.bodyIdleMs,
      untilMs: isStream ? Infinity : call.startedMs + timeouts.totalMs,
    });
    const decoder = new BodyDecoder(framing.body);
    const push = (data: Bytes) => body.push(data);
    this.#following = { framing, decoder, body, push, written };
    asked.resolve({ status, fields, body });
    this.#takeBody(this.#following, rest);
  }

  /** Takes bytes of the body, and reads on where it is not over and not held back. */
  #takeBody({ framing, decoder, body, push, written }: Following, piece: Bytes): void {
    const used = decoder.feed(piece, push);
    if (decoder.done) {
      body.finish();
      this.#finish(framing, used < piece.length, written);
    } else if (!this.#paused) {
      this.#read();
    }
  }

  /** The body is whole: the connection rests, unless anything about it is doubtful. */
  #finish(framing: AnswerFraming, stray: boolean, written: Promise<boolean>): void {
    this.#following = undefined;
    if (stray || !framing.reusable || this.#closed) return this.close();
    // Not at once: calls that came at the same moment have asked by then, so that the place goes to who has waited,
    // and what this call has still to ask for (a session made anew) finds the one that was left (R69).
    (this.#isWritten ? WRITTEN : this.#isOut(written)).then((isOut) => {
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
        let at = await this.#conn.write(piece);
        while (at < piece.length) at += await this.#conn.write(piece.subarray(at));
      }
      this.#isWritten = true;
      return true;
    } catch {
      return false;
    }
  }

  /** Reads on, unless it does so already. */
  #read(): void {
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    this.#conn.read(this.#buffer.target()).then(this.#onRead, this.#onBroken);
  }
}

function closedEarly(cause?: unknown): ProxyError {
  const sentence = "The upstream server closed the connection before its answer was complete.";
  return new ProxyError("upstream_closed", sentence, { cause });
}

/** What was thrown as one of the proxy's kinds, with how far the exchange had come. */
function toFailure(thrown: unknown, progress: ExchangeProgress): ProxyError {
  const error = thrown instanceof ProxyError ? thrown : toKind(thrown);
  return new ProxyError(error.kind, error.message, {
    cause: error.cause,
    headers: error.headers,
    progress: { requestSent: progress.requestSent, answerBegun: progress.answerBegun },
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
