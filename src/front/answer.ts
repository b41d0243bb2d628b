/**
 * From the upstream's answer to the client's: what may pass, and in which form.
 *
 * @module
 */

import { errorBody, ProxyError } from "../errors.ts";
import type { AnswerSource, CancelSignal, ClientAnswer, Fields } from "../http/mod.ts";
import type { SessionNames } from "../relay/mod.ts";
import { type Rewritten, tooLargeToInspect } from "./interceptors.ts";
import { streamFields } from "../sse/mod.ts";
import type { UpstreamAnswer, UpstreamBody } from "../upstream/mod.ts";

/** What the client waits for. */
export type Expected = "message" | "acceptance" | "stream" | "termination";

/** What an answer is made for. */
export interface AnswerContext {
  readonly expected: Expected;
  /** The client's session id to tell, if any. */
  readonly sessionId: string | undefined;
  /** The two ids of its session, where messages are searched for them (R77). */
  readonly names?: SessionNames | undefined;
  /** The exact text of the request's id, for an error. */
  readonly idText: string | undefined;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: CancelSignal;
  /** The interceptors that look at it, if any. */
  readonly interceptors?: AnswerInterceptors | undefined;
  /** Told of a failure of the server's (5xx) whose body the client does not get. */
  readonly onReplaced?: ((error: ProxyError) => void) | undefined;
  /** What the client reads of an event stream. */
  readonly stream: (body: UpstreamBody) => AnswerSource;
}

/** What looks at JSON answers. */
export interface AnswerInterceptors {
  /** The largest one that is looked into, in bytes; undefined where none is. */
  readonly maxBytes: number | undefined;
  /** What has become of one; undefined where it passes as it came. */
  json(body: Uint8Array): Promise<Rewritten | undefined>;
}

/** A JSON body up to this many bytes is answered whole, a larger one is streamed. */
const WHOLE_BODY_BYTES = 65_536;

const encoder = new TextEncoder();

/**
 * The client's answer; at once where nothing has to be waited for.
 *
 * @throws {ProxyError} `upstream_protocol` where the upstream's answer is none to this request (R63,
 * R70), or what went wrong while its body was read.
 */
export function toAnswer(
  answer: UpstreamAnswer,
  context: AnswerContext,
): ClientAnswer | Promise<ClientAnswer> {
  if (context.sessionId !== undefined) answer.headers.set("mcp-session-id", context.sessionId);
  if (answer.status >= 400) return errorResponse(answer, context);
  if (answer.status >= 300) {
    throw refuseAnswer(answer, context, "The upstream server answered with a redirect.");
  }
  switch (context.expected) {
    case "acceptance":
      answer.body.discard();
      return { status: 202, fields: withoutType(answer.headers), body: null };
    case "termination":
      answer.body.discard();
      return { status: answer.status, fields: withoutType(answer.headers), body: null };
    case "stream":
      if (answer.kind === "sse") return eventStream(answer, context);
      throw refuseAnswer(answer, context, "The upstream server did not answer with a stream.");
    case "message":
      return messageResponse(answer, context);
  }
}

function messageResponse(
  answer: UpstreamAnswer,
  context: AnswerContext,
): ClientAnswer | Promise<ClientAnswer> {
  if (answer.status === 200 && answer.kind === "sse") return eventStream(answer, context);
  if (answer.status !== 200 || answer.kind !== "json") {
    throw refuseAnswer(
      answer,
      context,
      "The upstream server answered with neither JSON nor an event stream.",
    );
  }
  const maxBytes = refuseUnseen(answer, context) ? undefined : context.interceptors?.maxBytes;
  if (maxBytes !== undefined) return inspected(answer, context, maxBytes);
  const whole = answer.body.wholeNow(WHOLE_BODY_BYTES);
  if (whole !== undefined) return jsonResponse(answer, context, whole);
  return collect(answer, context.signal).then((body) => jsonResponse(answer, context, body));
}

/** JSON that interceptors look into, and may make a stream of. */
async function inspected(
  answer: UpstreamAnswer,
  context: AnswerContext,
  maxBytes: number,
): Promise<ClientAnswer> {
  const collected = await collect(answer, context.signal, (from) => readWithin(from, maxBytes));
  if (collected === null || collected.length > maxBytes) {
    answer.body.discard();
    throw tooLargeToInspect(maxBytes).withId(context.idText);
  }
  const body = renamed(collected, context);
  return rewritten(jsonResponse(answer, context, body), body, context);
}

async function rewritten(
  found: ClientAnswer,
  body: Uint8Array<ArrayBuffer>,
  { interceptors }: AnswerContext,
): Promise<ClientAnswer> {
  const changed = await interceptors?.json(body);
  if (changed === undefined) return found;
  if (changed.contentType === undefined) return { ...found, body: changed.body };
  found.fields.set("content-type", changed.contentType);
  return { ...found, fields: streamFields(found.fields), body: changed.body };
}

/** A body of any size up to `maxBytes`; null where it is larger. */
export async function readWithin(
  body: UpstreamBody,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (let coming = await body.next(); coming !== null; coming = await body.next()) {
    for (const piece of coming) {
      pieces.push(piece);
      length += piece.length;
    }
    if (length > maxBytes) return null;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** JSON: its whole body, or null for one that is streamed because it is large. */
function jsonResponse(
  answer: UpstreamAnswer,
  context: AnswerContext,
  whole: Uint8Array<ArrayBuffer> | null,
): ClientAnswer {
  if (whole !== null && whole.length === 0) {
    throw refuseAnswer(answer, context, "The upstream server answered with an empty body.");
  }
  const body = whole !== null
    ? renamed(whole, context)
    : context.names?.toClient.stream(answer.body) ?? answer.body;
  return { status: 200, fields: answer.headers, body };
}

/** A message as the client may see it: it knows the session by another id than the upstream does. */
function renamed(
  whole: Uint8Array<ArrayBuffer>,
  { names }: AnswerContext,
): Uint8Array<ArrayBuffer> {
  return names === undefined ? whole : names.toClient.apply(whole);
}

/** The body if it is small; given up at once when the client goes (R54). */
async function collect(
  answer: UpstreamAnswer,
  signal: CancelSignal,
  read = (body: UpstreamBody) => body.bytesWithin(WHOLE_BODY_BYTES),
): Promise<Uint8Array<ArrayBuffer> | null> {
  const whole = answer.body.wholeNow(WHOLE_BODY_BYTES);
  if (whole !== undefined) return whole;
  const giveUp = () => answer.body.discard();
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await read(answer.body);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/** The answer as a stream of events, held back nowhere. */
function eventStream(answer: UpstreamAnswer, context: AnswerContext): ClientAnswer {
  const { status, headers, body } = answer;
  // In what is compressed nothing can be read, and to it nothing can be added.
  const isOpaque = refuseUnseen(answer, context);
  return { status, fields: streamFields(headers), body: isOpaque ? body : context.stream(body) };
}

/** Whether a body can be read only once it is decoded. */
export function isCompressed(headers: Fields): boolean {
  const coding = headers.get("content-encoding");
  return coding !== null && coding.toLowerCase() !== "identity";
}

/**
 * Whether an answer is compressed, although the upstream was told not to (R56): it passes as it came.
 *
 * @throws {ProxyError} `upstream_protocol` where interceptors would have to look into it
 */
function refuseUnseen(answer: UpstreamAnswer, context: AnswerContext): boolean {
  if (!isCompressed(answer.headers)) return false;
  if (context.interceptors === undefined) return true;
  throw refuseAnswer(
    answer,
    context,
    "The upstream server compressed its answer, which interceptors cannot look into.",
  );
}

/**
 * An error status. JSON passes, because clients read it (2026-07-28 streamable-http, "Backward
 * Compatibility"); any other body may name hosts or hold a stack trace and is replaced (R99).
 */
async function errorResponse(
  answer: UpstreamAnswer,
  context: AnswerContext,
): Promise<ClientAnswer> {
  const { status, headers } = answer;
  const isReadable = answer.kind === "json" && !(isCompressed(headers) && context.interceptors);
  const collected = isReadable ? await collect(answer, context.signal) : null;
  const body = collected && renamed(collected, context);
  answer.body.discard();
  if (body !== null && mayPass(body, status)) {
    const found: ClientAnswer = { status, fields: headers, body };
    return context.interceptors?.maxBytes === undefined
      ? found
      : await rewritten(found, body, context);
  }
  headers.set("content-type", "application/json");
  headers.delete("content-encoding");
  const sentence = `The upstream server refused the request with HTTP status ${status}.`;
  const error = new ProxyError("upstream_status", sentence, { idText: context.idText });
  if (status >= 500) context.onReplaced?.(error);
  return { status, fields: headers, body: encoder.encode(errorBody(error)) };
}

/** A server's own failure passes only as the JSON-RPC error it should be. */
function mayPass(body: Uint8Array, status: number): boolean {
  if (body.length === 0) return false;
  if (status < 500) return true;
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null && Object.hasOwn(value, "jsonrpc");
  } catch {
    return false;
  }
}

function withoutType(headers: Fields): Fields {
  headers.delete("content-type");
  headers.delete("content-encoding");
  return headers;
}

function refuseAnswer(
  answer: UpstreamAnswer,
  context: AnswerContext,
  sentence: string,
): ProxyError {
  answer.body.discard();
  return new ProxyError("upstream_protocol", sentence, { idText: context.idText });
}
