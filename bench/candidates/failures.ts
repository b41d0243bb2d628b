/** What the candidates tell of a failure, in the proxy's own kinds. */

import { type ExchangeProgress, ProxyError } from "../../src/errors.ts";

/** Nothing of the request has left. */
export const NOTHING_SENT: ExchangeProgress = { requestSent: false, answerBegun: false };

/** Nobody waits for the answer any more. */
export function clientClosed(): ProxyError {
  return new ProxyError("client_closed", "The client closed the request before it was answered.");
}

/** The server could not be connected to. */
export function unreachable(cause: unknown): ProxyError {
  const sentence = "The upstream server cannot be reached.";
  return new ProxyError("upstream_unreachable", sentence, { cause, progress: NOTHING_SENT });
}

/** Connecting took too long. */
export function connectTimeout(cause?: unknown): ProxyError {
  const sentence = "The upstream server could not be reached in time.";
  return new ProxyError("upstream_connect_timeout", sentence, { cause, progress: NOTHING_SENT });
}

/** The connection ended before the answer did; how much was sent is not known, so all of it. */
export function closedEarly(answerBegun: boolean, cause: unknown): ProxyError {
  const sentence = "The upstream server closed the connection before its answer was complete.";
  const progress = { requestSent: true, answerBegun };
  return new ProxyError("upstream_closed", sentence, { cause, progress });
}

/** The candidates have no queue: one request too many is refused. */
export function saturated(): ProxyError {
  const sentence = "All connections to the upstream server are in use; try again later.";
  const headers = { "retry-after": "1" };
  return new ProxyError("upstream_saturated", sentence, { headers, progress: NOTHING_SENT });
}
