/**
 * A request of a client and the answer to it, as the handler sees them, whatever server brought them.
 *
 * Smaller than `Request` and `Response`, which cost several microseconds each to make and to read.
 *
 * @module
 */

import { type FieldReader, Fields } from "./fields.ts";

/** Bytes in memory of their own. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Tells that nobody waits any more; `AbortSignal` is one, and something lighter may be. */
export interface CancelSignal {
  /** Whether it has happened. */
  readonly aborted: boolean;
  /** Has `listener` called when it happens. */
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  /** Has `listener` not called any more. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Of something that goes on whoever waits for it. */
export const NEVER_ABORTED: CancelSignal = {
  aborted: false,
  addEventListener: () => {},
  removeEventListener: () => {},
};

/** A request of a client. */
export interface ClientRequest {
  /** The method, as the client wrote it. */
  readonly method: string;
  /** The request target: a path with its query, or a whole URL, exactly as the client wrote it. */
  readonly target: string;
  /** The header fields. */
  readonly headers: FieldReader;
  /** Aborted when the client has gone. */
  readonly signal: CancelSignal;
  /**
   * The whole body; to be asked for once at most.
   *
   * @throws {ProxyError} `payload_too_large` before more than the limit is held, `body_timeout`,
   * `client_closed` where the client went away in the middle, `bad_request` where the framing is broken.
   */
  body(): Promise<Uint8Array> | Uint8Array;
}

/** A body that comes bit by bit. */
export interface AnswerSource {
  /**
   * All that is there, or what comes next; null at the end. One call at a time.
   *
   * @throws where the body broke off, once everything ahead of that was handed out.
   */
  next(): readonly Bytes[] | null | Promise<readonly Bytes[] | null>;
  /** Whether `next` would give the end at once. */
  readonly ended: boolean;
  /** Gives the rest up. */
  discard(): void;
}

/** The answer to a request. */
export interface ClientAnswer {
  /** The HTTP status, 200 to 599. */
  readonly status: number;
  /** The header fields; what frames the body is not among them. */
  readonly fields: Fields;
  /** The body: whole, bit by bit, or none. */
  readonly body: Uint8Array | AnswerSource | null;
}

/**
 * Answers a request now, where its handler resolves with this very answer afterwards: the client has it sooner, and
 * what is to be noted is noted behind. Harmless where the request is over.
 */
export type Deliver = (answer: ClientAnswer) => void;

/** Answers one request; never rejects. Who changes answers does not hand `deliver` on. */
export type Handler = (request: ClientRequest, deliver?: Deliver) => Promise<ClientAnswer>;

const encoder = new TextEncoder();

/** An answer of JSON text. */
export function jsonAnswer(
  status: number,
  text: string,
  fields: Readonly<Record<string, string>> = {},
): ClientAnswer {
  const list = ["content-type", "application/json"];
  for (const [name, value] of Object.entries(fields)) list.push(name, value);
  return { status, fields: new Fields(list), body: encoder.encode(text) };
}

/** A source as a stream that asks for more only when it is read. Cancelling it gives the rest up. */
export function streamOf(source: AnswerSource): ReadableStream<Bytes> {
  return new ReadableStream<Bytes>({
    async pull(controller) {
      const pieces = await source.next();
      if (pieces === null) return controller.close();
      for (const piece of pieces) controller.enqueue(piece);
    },
    cancel: () => source.discard(),
  }, { highWaterMark: 0 });
}
