/**
 * Answers that come from the proxy and not from the server, and answers of the server that were read whole.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { errorBody, ProxyError } from "../errors.ts";
import { type Bytes, type CancelSignal, Fields } from "../http/mod.ts";
import { AnswerBody, type UpstreamAnswer, type UpstreamBody } from "../upstream/mod.ts";
import { at, decode, encode, readBody, spanOf, splice, withTexts } from "./text.ts";

/** A server's answer with its whole body, to be given to any number of callers. */
export interface KeptAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** Names and values of its fields in turn. */
  readonly fields: readonly string[];
  /** What the body is. */
  readonly kind: UpstreamAnswer["kind"];
  /** The body; empty where it was too long to keep. */
  readonly bytes: Bytes;
  /** See `UpstreamAnswer`. */
  readonly failure?: UpstreamAnswer["failure"];
}

/** A body that is there already. */
export function wholeBody(clock: Clock, bytes: Bytes): UpstreamBody {
  const control = { pause: () => {}, resume: () => {}, abort: () => {} };
  const body = new AnswerBody(control, { clock, idleMs: Infinity, untilMs: Infinity });
  if (bytes.length > 0) body.push(bytes);
  body.finish();
  return body;
}

/** An answer of JSON text. */
export function jsonAnswer(clock: Clock, status: number, text: string): UpstreamAnswer {
  return {
    status,
    headers: new Fields(["content-type", "application/json"]),
    sessionId: undefined,
    kind: "json",
    body: wholeBody(clock, encode(text)),
  };
}

/** An answer without a body. */
export function emptyAnswer(clock: Clock, status: number): UpstreamAnswer {
  const body = wholeBody(clock, new Uint8Array(0));
  return { status, headers: new Fields(), sessionId: undefined, kind: "other", body };
}

/** A failure as the answer of a server would tell it. */
export function errorAnswer(clock: Clock, error: ProxyError): UpstreamAnswer {
  const answer = jsonAnswer(clock, error.status, errorBody(error));
  for (const [name, value] of Object.entries(error.headers)) answer.headers.set(name, value);
  return answer;
}

/** The answer to whoever names a member that is not there (R81). */
export function noMember(clock: Clock, idText?: string): UpstreamAnswer {
  const sentence = "This session does not exist or has ended; start a new one with initialize.";
  return errorAnswer(clock, new ProxyError("session_not_found", sentence, { idText }));
}

/**
 * An answer that was kept, once more. Where it is a JSON-RPC error, `idText` is the id of whoever gets it, which
 * may be another than that of the request that was refused (JSON-RPC 2.0, 5 "Response object").
 */
export function again(
  clock: Clock,
  { status, fields, kind, bytes, failure }: KeptAnswer,
  idText?: string,
): UpstreamAnswer {
  const isToldAnew = idText !== undefined && kind === "json";
  const body = wholeBody(clock, isToldAnew ? withId(bytes, idText) : bytes);
  const answer = { status, headers: new Fields([...fields]), sessionId: undefined, kind, body };
  return failure === undefined ? answer : { ...answer, failure };
}

/** Reads an answer whole; of one that is longer than `maxBytes` the body is left out. */
export async function keep(answer: UpstreamAnswer, maxBytes: number): Promise<KeptAnswer> {
  const bytes = await readWithin(answer.body, maxBytes);
  if (bytes === null) answer.body.discard();
  const { status, headers, kind, failure } = answer;
  const kept = { status, fields: headers.list, kind, bytes: bytes ?? new Uint8Array(0) };
  return failure === undefined ? kept : { ...kept, failure };
}

/**
 * The whole body; null where it is longer than `maxBytes`. Given up when `signal` is aborted.
 *
 * @throws what broke the body off
 */
export async function readWithin(
  body: UpstreamBody,
  maxBytes: number,
  signal?: CancelSignal,
): Promise<Bytes | null> {
  const whole = body.wholeNow(maxBytes);
  if (whole !== undefined) return whole;
  const giveUp = () => body.discard();
  if (signal?.aborted) giveUp();
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    return await readAll(body, maxBytes);
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}

/** A JSON-RPC error with another id; what is none stays as it is. */
function withId(bytes: Bytes, idText: string): Bytes {
  const body = readBody(decode(bytes));
  const message = body?.batch === false ? body.messages[0] : undefined;
  if (message === undefined || typeof at(message.value, "error", "code") !== "number") return bytes;
  if (spanOf(message, ["id"]) !== undefined) {
    return encode(withTexts(message, [["id"], idText]));
  }
  const inside = message.text.indexOf("{") + 1;
  const span = { start: inside, end: inside };
  return encode(splice(message.text, [{ span, text: `"id":${idText},` }]));
}

async function readAll(body: UpstreamBody, maxBytes: number): Promise<Bytes | null> {
  const pieces: Bytes[] = [];
  let length = 0;
  for (let coming = await body.next(); coming !== null; coming = await body.next()) {
    for (const piece of coming) {
      pieces.push(piece);
      length += piece.length;
    }
    if (length > maxBytes) return null;
  }
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
