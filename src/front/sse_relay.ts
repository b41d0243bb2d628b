/**
 * Answers of an upstream as what a client of HTTP+SSE reads of them: message by message, on its one stream.
 *
 * @module
 */

import { errorBody, ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import type { Inspect, Outgoing, Pending } from "../relay/mod.ts";
import { EVENT_STREAM, EventParser, EventTooLargeError, type SseEvent } from "../sse/mod.ts";
import type { Session } from "../session/mod.ts";
import type { UpstreamAnswer, UpstreamBody } from "../upstream/mod.ts";
import { isCompressed, readWithin } from "./answer.ts";
import { type Rewritten, tooLargeToInspect } from "./interceptors.ts";
import type { SseStream } from "./sse_stream.ts";

/** A JSON answer up to so many bytes is read beside others; of larger ones one at a time. */
const SMALL_BODY_BYTES = 65_536;

const decoder = new TextDecoder();

/** Where answers go, and what becomes of them on the way. */
export interface RelayTarget {
  /** The client's stream. */
  readonly stream: SseStream;
  /** The client's session. */
  readonly session: Session;
  /** The largest event, and the largest JSON answer, in bytes. */
  readonly maxBytes: number;
  /** Whether the client wants none of it any more. */
  readonly isUnwanted?: () => boolean;
}

/** What reading an event stream has come to. */
export interface StreamEnd {
  /** The event id behind which it can go on, if it has one. */
  readonly lastEventId: string | undefined;
  /** How long the upstream wants to be left alone before that, in milliseconds. */
  readonly retryMs: number | undefined;
  /** What broke it off; undefined for a clean end. */
  readonly failure: unknown;
}

/** Reads event streams one after the other that are one to the client, being resumed. */
export class EventRelay {
  readonly #target: RelayTarget;
  readonly #inspect: Inspect | undefined;
  readonly #pending: Pending | undefined;
  #lastEventId: string | undefined;
  #retryMs: number | undefined;
  /** Told of each read with messages in it. */
  readonly #onDelivered: (withIds: boolean) => void;

  /** Of a stream with answers to `pending`, or with none. */
  constructor(
    target: RelayTarget,
    inspect: Inspect | undefined,
    pending: Pending | undefined,
    onDelivered: (withIds: boolean) => void,
  ) {
    this.#target = target;
    this.#inspect = inspect;
    this.#pending = pending;
    this.#onDelivered = onDelivered;
  }

  /**
   * Writes what comes to the client, until the stream ends or breaks off, or `isEnough` says after a read that
   * nothing more is expected. Reads no further while the client has no room (R49).
   *
   * @throws {ProxyError} `upstream_protocol` for an event that is too large (R42)
   */
  async pass(body: UpstreamBody, isEnough: () => boolean): Promise<StreamEnd> {
    const { stream, maxBytes } = this.#target;
    const parser = new EventParser({ maxEventBytes: maxBytes });
    let failure: unknown;
    try {
      for (;;) {
        await stream.room();
        if (stream.over) break;
        const pieces = await body.next();
        if (pieces === null) break;
        for (const piece of pieces) await this.#write(feed(parser, piece));
        if (isEnough()) break;
      }
    } catch (error) {
      if (error instanceof ProxyError && error.kind === "upstream_protocol") throw error;
      failure = error;
    } finally {
      body.discard();
    }
    return { lastEventId: this.#lastEventId, retryMs: this.#retryMs, failure };
  }

  async #write({ events, failure }: Fed): Promise<void> {
    for (const { id, retry } of events) {
      // An empty id says that there is no place to go on from (WHATWG HTML 9.2.6).
      if (id !== undefined) this.#lastEventId = id === "" ? undefined : id;
      this.#retryMs = retry ?? this.#retryMs;
    }
    await this.tell(events);
    if (events.length > 0) this.#onDelivered(events.some(({ id }) => id !== undefined));
    if (failure !== undefined) throw failure;
  }

  /** Writes the messages of events to the client, whoever has them to say. */
  async tell(events: readonly SseEvent[]): Promise<void> {
    const messages: Outgoing[] = [];
    for (const event of events) {
      if (event.data === undefined || event.data.length === 0) continue;
      this.#pending?.settle(event.data);
      const passing = this.#inspect?.(event) ?? [event];
      messages.push(...(passing instanceof Promise ? await passing : passing));
    }
    const { stream, session } = this.#target;
    const written = messages.flatMap(({ event, data }) => {
      // Any other name would be taken for a word of the transport: `endpoint` above all (R71).
      if (data === undefined || data.length === 0) return [];
      if (event !== undefined && event !== "" && event !== "message") return [];
      return [{ event: "message", data: toClient(session, data) }];
    });
    if (!this.#target.isUnwanted?.()) await stream.send(written);
  }
}

interface Fed {
  readonly events: readonly SseEvent[];
  readonly failure?: ProxyError;
}

function feed(parser: EventParser, piece: Bytes): Fed {
  try {
    return { events: parser.feed(piece) };
  } catch (error) {
    if (!(error instanceof EventTooLargeError)) throw error;
    const sentence = `The upstream server sent an event of more than ${error.maxEventBytes} ` +
      "bytes, which is the limit here.";
    const failure = new ProxyError("upstream_protocol", sentence, { cause: error });
    return { events: error.events, failure };
  }
}

/** A message as the client may see it: it knows the session by another id than the upstream does (R77). */
function toClient(session: Session, data: Bytes | string): Bytes | string {
  const { names } = session;
  if (names === undefined) return data;
  if (typeof data === "string") return data.replaceAll(names.upstream, () => names.client);
  return names.toClient.apply(data);
}

/** Takes turns at what may be done by one alone. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Does `act` when all earlier ones are done. */
  async take<T>(act: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    try {
      return await act();
    } finally {
      resolve();
    }
  }
}

/** How a JSON answer passes. */
export interface JsonPassing {
  /** The exact text of the id of the request that it answers. */
  readonly idText: string;
  /** What interceptors make of it; undefined where none looks. */
  readonly json: ((body: Uint8Array) => Promise<Rewritten | undefined>) | undefined;
  /** Told of a failure of the server's (5xx) in whose place the client gets another. */
  readonly onReplaced: (error: ProxyError) => void;
  /** Turns at large bodies, so that many of them are not in memory together. */
  readonly turns: Turns;
}

/**
 * Writes an answer of JSON, or of an error status, to the client.
 *
 * @throws {ProxyError} `upstream_protocol` where it is neither JSON nor an error (R63), or too large;
 * `upstream_status` for an error without a JSON-RPC error in it
 */
export async function relayJson(
  answer: UpstreamAnswer,
  target: RelayTarget,
  passing: JsonPassing,
): Promise<void> {
  const { status, kind, headers, body } = answer;
  const isReadable = kind === "json" && !isCompressed(headers);
  if (isReadable && (status === 200 || status >= 400)) {
    await target.stream.room();
    const small = await body.bytesWithin(SMALL_BODY_BYTES);
    if (small !== null) return await write(answer, small, target, passing);
    return await passing.turns.take(async () => {
      const whole = await readWithin(body, target.maxBytes);
      body.discard();
      if (whole === null) throw tooLargeToInspect(target.maxBytes);
      await write(answer, whole, target, passing);
    });
  }
  body.discard();
  if (status >= 400) throw refused(status);
  throw new ProxyError(
    "upstream_protocol",
    status >= 300
      ? "The upstream server answered with a redirect."
      : "The upstream server answered with neither JSON nor an event stream.",
  );
}

async function write(
  { status }: UpstreamAnswer,
  whole: Bytes,
  { stream, session, isUnwanted }: RelayTarget,
  { idText, json, onReplaced }: JsonPassing,
): Promise<void> {
  let text = status === 200 ? undefined : errorOf(whole, idText);
  if (status !== 200 && text === undefined) {
    const error = refused(status).withId(idText);
    if (status >= 500 && !isUnwanted?.()) onReplaced(error);
    text = errorBody(error);
  }
  const bytes = text === undefined ? whole : new TextEncoder().encode(text);
  if (bytes.length === 0) {
    throw new ProxyError("upstream_protocol", "The upstream server answered with an empty body.");
  }
  const renamed = toClient(session, bytes) as Bytes;
  const changed = await json?.(renamed);
  if (isUnwanted?.()) return;
  if (changed?.contentType === EVENT_STREAM) return await stream.write(changed.body, 1);
  await stream.send([{ event: "message", data: changed?.body ?? renamed }]);
}

/**
 * The JSON-RPC error in the body of an HTTP error, as the answer to the request: a client of HTTP+SSE does
 * not see the status, and an id that is not the request's would leave it waiting. Undefined where there is none.
 */
function errorOf(whole: Bytes, idText: string): string | undefined {
  try {
    const { error } = JSON.parse(decoder.decode(whole)) as { error?: unknown };
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (typeof code === "number" && typeof message === "string") {
      return `{"jsonrpc":"2.0","id":${idText},"error":${JSON.stringify(error)}}`;
    }
  } catch {
    // No JSON-RPC: it may name hosts, or hold a stack trace (R99).
  }
  return undefined;
}

function refused(status: number): ProxyError {
  const sentence = `The upstream server refused the request with HTTP status ${status}.`;
  return new ProxyError("upstream_status", sentence);
}
