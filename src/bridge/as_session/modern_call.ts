/**
 * One request of 2026-07-28 and its answer, whether it came as JSON or as an event stream.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Receiving Messages".
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import type { Bytes, CancelSignal, Fields } from "../../http/mod.ts";
import {
  decode,
  encode,
  type KeptAnswer,
  kindOf,
  readBody,
  readWithin,
  type RpcText,
} from "../../rpc/mod.ts";
import { EventParser, EventTooLargeError, type SseEvent } from "../../sse/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamBody, UpstreamCall } from "../../upstream/mod.ts";
import { errorCode, isUnsupportedVersion } from "./results.ts";

/** What calls work with. */
export interface ModernServerOptions {
  /** Time. */
  readonly clock: Clock;
  /** The largest message, in bytes. */
  readonly maxEventBytes: number;
  /** Told that the server has answered as no modern one does. */
  readonly onDoubt: () => void;
}

/** One request. */
export interface ModernRequest {
  /** The call of the client that it is made for. */
  readonly call: Pick<UpstreamCall, "principal" | "query" | "affinity" | "sent" | "onFailed">;
  /** Its header fields. */
  readonly fields: Fields;
  /** Its text. */
  readonly text: string;
  /** Aborted when nobody waits any more, which cancels it. */
  readonly signal: CancelSignal;
  /** Told that the answer is a stream, before anything of it is read. */
  readonly onStream?: () => void;
  /** Gets what comes ahead of the response. */
  readonly onMessage?: (message: RpcText) => void;
  /** Waited for before more is read. */
  readonly mayRead?: () => Promise<void> | undefined;
}

/** What became of a request: a response, or an answer that is none and that the client may see. */
export type Outcome =
  | { readonly response: RpcText; readonly refusal?: undefined }
  | { readonly response?: undefined; readonly refusal: KeptAnswer };

/** The longest refusal that is kept, in bytes. */
const MAX_REFUSAL_BYTES = 65_536;

/** How long a stream may go on behind the response before its connection is dropped, in milliseconds. */
const TRAILER_MS = 1_000;

/** Statuses with which a server of another era answers a modern request. */
const STATUS_OF_ERAS: ReadonlySet<number> = new Set([400, 404, 405]);

/** Codes of errors that a modern server gives with one of these statuses. */
const MODERN_CODES: ReadonlySet<number | undefined> = new Set([
  -32700,
  -32600,
  -32601,
  -32602,
  -32603,
  -32020,
  -32021,
]);

/** A server of 2026-07-28. */
export class ModernServer {
  readonly #upstream: Upstream;
  readonly #options: ModernServerOptions;

  /** A server that is somebody else's to close. */
  constructor(upstream: Upstream, options: ModernServerOptions) {
    this.#upstream = upstream;
    this.#options = options;
  }

  /**
   * Sends a request, once.
   *
   * @throws {ProxyError} what kept the answer from coming; `client_closed` where the signal was aborted
   */
  async ask(request: ModernRequest): Promise<Outcome> {
    const answer = await this.open(request);
    const { status } = answer;
    if (status >= 200 && status < 300) {
      const response = answer.kind === "sse"
        ? await this.#readStream(answer.body, request)
        : await this.#readJson(answer, request.signal);
      if (isUnsupportedVersion(response)) this.#options.onDoubt();
      return { response };
    }
    const bytes = await readWithin(answer.body, MAX_REFUSAL_BYTES, request.signal);
    answer.body.discard();
    return this.#refused(answer, bytes ?? new Uint8Array(0));
  }

  /** Sends a request, once, and leaves the answer to be read. */
  async open({ call, fields, text, signal }: ModernRequest): Promise<UpstreamAnswer> {
    const { principal, query, affinity, sent, onFailed } = call;
    const modern: UpstreamCall = {
      era: "modern",
      headers: fields,
      sessionId: undefined,
      principal,
      query,
      lastEventId: null,
      signal,
      // Every request has it (2026-07-28 basic/transports/streamable-http, "Request Metadata").
      method: fields.get("mcp-method") ?? undefined,
      affinity,
      sent,
      onFailed,
    };
    return await this.#upstream.exchange(modern, encode(text));
  }

  /**
   * What an answer says whose status is no success.
   *
   * @throws {ProxyError} `upstream_status` where the status could be misread in a session
   */
  #refused({ status, headers, kind, failure }: UpstreamAnswer, bytes: Bytes): Outcome {
    const said = kind === "json" ? readBody(decode(bytes)) : undefined;
    const response = said?.batch === false ? said.messages[0] : undefined;
    const isError = response !== undefined && errorCode(response) !== undefined;
    if (!STATUS_OF_ERAS.has(status)) {
      const refusal = { status, fields: headers.list, kind, bytes };
      return { refusal: failure === undefined ? refusal : { ...refusal, failure } };
    }
    const isModern = isError && status !== 405 && MODERN_CODES.has(errorCode(response));
    if (!isModern) this.#options.onDoubt();
    if (isError && status !== 405) return { response };
    // To a session 404 and 400 would say that it is over.
    const sentence =
      `The upstream server refused the request with HTTP status ${status}, which a server of 2026-07-28 explains.`;
    throw new ProxyError("upstream_status", sentence);
  }

  async #readJson({ body, kind }: UpstreamAnswer, signal: CancelSignal): Promise<RpcText> {
    const { maxEventBytes } = this.#options;
    const bytes = await readWithin(body, maxEventBytes, signal);
    if (bytes === null) {
      body.discard();
      throw tooLarge(maxEventBytes);
    }
    const said = kind === "json" ? readBody(decode(bytes)) : undefined;
    const message = said?.messages[0];
    if (message !== undefined && !said!.batch && kindOf(message) === "response") return message;
    const sentence = "The upstream server answered a request with something else than a response.";
    throw new ProxyError("upstream_protocol", sentence);
  }

  async #readStream(body: UpstreamBody, request: ModernRequest): Promise<RpcText> {
    let response: RpcText | undefined;
    request.onStream?.();
    await readMessages(body, this.#options.maxEventBytes, (message) => {
      if (kindOf(message) === "response") response = message;
      else request.onMessage?.(message);
      return response === undefined;
    }, request);
    if (response === undefined) {
      const sentence = "The upstream server ended its answer before the response.";
      throw new ProxyError("upstream_closed", sentence);
    }
    this.#finish(body);
    return response;
  }

  /** Reads to the end in the background: giving a body up costs its connection. */
  async #finish(body: UpstreamBody): Promise<void> {
    if (body.ended) return;
    const timer = this.#options.clock.after(TRAILER_MS, () => body.discard());
    try {
      while (await body.next() !== null);
    } catch {
      // What comes behind the response is of no use to anybody.
    }
    timer.cancel();
  }
}

/**
 * Hands over the messages of an event stream, to its end or until `take` says false; then the body is still
 * open.
 *
 * @throws {ProxyError} where it broke off, was given up, or an event is too large
 */
export async function readMessages(
  body: UpstreamBody,
  maxEventBytes: number,
  take: (message: RpcText) => boolean,
  { signal, mayRead }: Pick<ModernRequest, "signal" | "mayRead">,
): Promise<void> {
  const parser = new EventParser({ maxEventBytes });
  const giveUp = () => body.discard();
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    for (;;) {
      await mayRead?.();
      const pieces = await body.next();
      if (pieces === null) return;
      for (const piece of pieces) {
        for (const message of messagesIn(parser.feed(piece))) if (!take(message)) return;
      }
    }
  } catch (error) {
    body.discard();
    if (!(error instanceof EventTooLargeError)) throw error;
    for (const message of messagesIn(error.events)) if (!take(message)) return;
    throw tooLarge(maxEventBytes);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function* messagesIn(events: readonly SseEvent[]): Generator<RpcText> {
  for (const { data } of events) {
    if (data === undefined || data.length === 0) continue;
    const body = readBody(decode(data));
    if (body === undefined) {
      throw new ProxyError("upstream_protocol", "The upstream server sent what is no JSON-RPC.");
    }
    yield* body.messages;
  }
}

function tooLarge(maxBytes: number): ProxyError {
  const sentence =
    `The upstream server sent a message of more than ${maxBytes} bytes, which is the limit here.`;
  return new ProxyError("upstream_protocol", sentence);
}
