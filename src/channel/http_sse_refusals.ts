/**
 * What a server of HTTP+SSE refuses, and how it breaks the rules of its transport, in words for clients.
 *
 * @module
 */

import { type ExchangeProgress, ProxyError } from "../errors.ts";
import type { FieldReader } from "../http/mod.ts";
import { isEventStream } from "../sse/mod.ts";
import { challengesIn, type HttpAnswer } from "../upstream/mod.ts";
import type { HttpSseOptions } from "./http_sse_requests.ts";

/** What is told where there is no endpoint yet: no message of a client has gone out. */
const UNSENT: ExchangeProgress = { requestSent: false, answerBegun: false };

/**
 * Looks whether the answer to a GET is a stream.
 *
 * @throws {ProxyError} where it is none (R63, R70)
 */
export function checkStream(answer: HttpAnswer, options: HttpSseOptions): void {
  const { status, fields, body } = answer;
  if (status === 200 && isEventStream(fields.get("content-type"))) return;
  body.discard();
  if (status >= 400) {
    throw refused("its event stream", answer, options, isLater(status) ? UNSENT : undefined);
  }
  const sentence = status >= 300
    ? "The upstream server answered with a redirect."
    : "The upstream server did not answer with a stream.";
  throw new ProxyError("upstream_protocol", sentence, { progress: UNSENT });
}

/**
 * A refusal as a client is told of it. Those that say to come again later pass with their status and
 * `Retry-After`, as over Streamable HTTP (R64), and those of credentials that were the client's with theirs and
 * what is wanted; another one could be misread there, of the session for instance.
 */
export function refused(
  what: string,
  { status, fields }: HttpAnswer,
  options: HttpSseOptions,
  progress?: ExchangeProgress,
): ProxyError {
  const retryAfter = fields.get("retry-after");
  const isOfCredentials = options.forwardCredentials && (status === 401 || status === 403);
  const passes = isLater(status) || isOfCredentials;
  const sentence = `The upstream server refused ${what} with HTTP status ${status}.`;
  return new ProxyError("upstream_status", sentence, {
    progress,
    upstreamStatus: passes ? status : undefined,
    headers: {
      ...(passes && retryAfter !== null && { "retry-after": retryAfter }),
      ...(isOfCredentials && challengeOf(fields, options)),
    },
  });
}

/** What a refusal says is wanted, as far as a client may know. */
function challengeOf(
  fields: FieldReader,
  { target, onChallenge }: HttpSseOptions,
): Readonly<Record<string, string>> {
  const { values, metadata } = challengesIn(fields, target);
  onChallenge?.(metadata);
  return values.length === 0 ? {} : { "www-authenticate": values.join(", ") };
}

/** Whether a status says something of the server now, and nothing of the request. */
function isLater(status: number): boolean {
  return status === 429 || status >= 500;
}

/** What kept a channel from being opened: no message of a client has gone out. */
export function beforeAnyMessage({ kind, message, cause, headers }: ProxyError): ProxyError {
  return new ProxyError(kind, message, { cause, headers, progress: UNSENT });
}

/** The sentence for what a channel that is over does not do any more. */
export const ENDED = "The channel to the upstream server has ended.";

/** A message, or a channel, that came too late: nothing of it has gone out. */
export function unsent(): ProxyError {
  return new ProxyError("upstream_closed", ENDED, { progress: UNSENT });
}

/** The stream ended before its time. */
export function brokenOff(): ProxyError {
  return new ProxyError("upstream_closed", "The upstream server broke its event stream off.");
}

/** The stream begins with something else than the endpoint. */
export function notFirst(): ProxyError {
  const sentence = "The upstream server sent an event ahead of its endpoint event.";
  return new ProxyError("upstream_protocol", sentence);
}

/** The endpoint was named before. */
export function refusedTwice(): ProxyError {
  const sentence = "The upstream server sent a second endpoint event.";
  return new ProxyError("upstream_protocol", sentence);
}
