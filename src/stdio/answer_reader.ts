/**
 * The messages in an answer, whether it is JSON or a stream of events.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { Bytes, ClientAnswer } from "../http/mod.ts";
import { decode } from "../rpc/mod.ts";
import { EVENT_STREAM, EventParser, EventTooLargeError, type SseEvent } from "../sse/mod.ts";

/** What was last heard on a stream, by which it is taken up again. */
export interface StreamPlace {
  /** The last event id; undefined where there is none. */
  lastEventId: string | undefined;
  /** How long the server wants a client to wait before it comes back, in milliseconds. */
  retryMs: number | undefined;
}

/** Whether an answer is a stream of events. */
export function isStream(answer: ClientAnswer): boolean {
  return answer.fields.get("content-type")?.startsWith(EVENT_STREAM) === true;
}

/** Gives the body of an answer up. */
export function discard({ body }: ClientAnswer): void {
  if (body !== null && !(body instanceof Uint8Array)) body.discard();
}

/**
 * The texts of the messages in an answer, one by one as they come; `place` is kept up to date. Whoever stops
 * early gives the rest up.
 *
 * @throws {ProxyError} `upstream_protocol` for a message of more than `maxBytes`
 * @throws where the body broke off
 */
export async function* messagesOf(
  answer: ClientAnswer,
  place: StreamPlace,
  maxBytes: number,
): AsyncGenerator<string> {
  if (!isStream(answer)) {
    const text = await wholeText(answer, maxBytes);
    if (text !== "") yield text;
    return;
  }
  const parser = new EventParser({ maxEventBytes: maxBytes });
  for await (const piece of piecesOf(answer)) {
    let events: readonly SseEvent[];
    let failure: ProxyError | undefined;
    try {
      events = parser.feed(piece);
    } catch (error) {
      if (!(error instanceof EventTooLargeError)) throw error;
      events = error.events;
      failure = tooLarge(maxBytes);
    }
    for (const event of events) {
      if (event.id !== undefined) place.lastEventId = event.id === "" ? undefined : event.id;
      if (event.retry !== undefined) place.retryMs = event.retry;
      if (isMessage(event)) yield decode(event.data!);
    }
    if (failure !== undefined) throw failure;
  }
}

/** Priming events have empty data, and say nothing (2025-11-25 basic/transports). */
function isMessage({ event, data }: SseEvent): boolean {
  const isNamed = event !== undefined && event !== "" && event !== "message";
  return !isNamed && data !== undefined && data.length > 0;
}

async function wholeText(answer: ClientAnswer, maxBytes: number): Promise<string> {
  const utf8 = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const piece of piecesOf(answer)) {
    length += piece.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
    text += utf8.decode(piece, { stream: true });
  }
  return text + utf8.decode();
}

async function* piecesOf({ body }: ClientAnswer): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  if (body instanceof Uint8Array) return yield body;
  let isOver = false;
  try {
    for (;;) {
      const pieces: readonly Bytes[] | null = await body.next();
      if (pieces === null) break;
      yield* pieces;
    }
    isOver = true;
  } finally {
    if (!isOver) body.discard();
  }
}

function tooLarge(maxBytes: number): ProxyError {
  const sentence = `The upstream server sent a message of more than ${maxBytes} bytes.`;
  return new ProxyError("upstream_protocol", sentence);
}
