/**
 * What a client is told on a stream whose answer cannot come any more.
 *
 * @module
 */

import { errorBody, ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import type { Outgoing } from "./framing.ts";

/** How one connection to the upstream ended: cleanly, or by what. */
export type Ending = { readonly broken: ProxyError | undefined };

const encoder = new TextEncoder();

/** The end of a stream without the answer that was asked for. */
export function noAnswer(): ProxyError {
  const sentence = "The upstream server ended its stream without an answer to this request.";
  return new ProxyError("upstream_closed", sentence);
}

/** The end of the session, or of the time for which a stream is kept, before the answer. */
export function ended(): ProxyError {
  const sentence = "The session ended before this request was answered.";
  return new ProxyError("upstream_closed", sentence);
}

/** The answer has come, while nobody could take it. */
export function notKept(): ProxyError {
  const sentence =
    "The answer to this request came while its client was away, and was not kept; the request may have run.";
  return new ProxyError("upstream_closed", sentence);
}

/** A JSON-RPC error response as an event. */
export function errorEvent(error: ProxyError, idText: string): Bytes {
  return encoder.encode(`event: message\ndata: ${errorText(error, idText)}\n\n`);
}

/** A JSON-RPC error response to one request. */
export function errorText(error: ProxyError, idText: string): string {
  return errorBody(error.withId(idText));
}

/** An error for each of these requests. */
export function errorsFor(idTexts: readonly string[], error: ProxyError): readonly Outgoing[] {
  return idTexts.map((idText) => ({ event: "message", data: errorText(error, idText) }));
}
