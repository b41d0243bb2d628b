/**
 * Why no access token can be had, or none that the server takes.
 *
 * @module
 */

import { ANSWERING, NOTHING_SENT, ProxyError } from "../errors.ts";

/**
 * What stands in the way; the message is for operators, and holds neither a secret nor the address of a server.
 *
 * - `refused`: an operator has to see to it; the authorization server does not know the client, for instance.
 * - `unavailable`: it may be better in a while, or with another target.
 */
export class TokenTrouble extends Error {
  /** Which of the two. */
  readonly kind: "refused" | "unavailable";
  /** How long the authorization server is to be left alone, as it has said, in milliseconds. */
  readonly retryAfterMs: number;

  /** Trouble told in one sentence part, such as `it answered 503`. */
  constructor(kind: TokenTrouble["kind"], message: string, cause?: unknown, retryAfterMs = 0) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "TokenTrouble";
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a client is told while no token can be had; its request was not sent. */
export function unavailable(waitMs: number): ProxyError {
  const sentence =
    "The proxy has no access token for the upstream server for the moment; this request was not sent: try again.";
  return new ProxyError("server_token_unavailable", sentence, {
    headers: { "retry-after": String(Math.max(1, Math.ceil(waitMs / 1_000))) },
    progress: NOTHING_SENT,
  });
}

/** What a client is told where the credentials of the proxy are good for nothing; nobody has acted on its request. */
export function refused(): ProxyError {
  const sentence =
    "The credentials that the proxy has for the upstream server were refused; its operator has to see to that. " +
    "This request was not carried out.";
  return new ProxyError("server_access_refused", sentence);
}

/** What a client is told of a request that was answered with a refusal which does not show that nothing was done. */
export function mayHaveRun(): ProxyError {
  const sentence =
    "The upstream server has answered this request as it answers credentials that are not good enough, which is not " +
    "for the client to see to; this request may have been carried out: find that out before you send it again.";
  return new ProxyError("server_access_refused", sentence, { progress: ANSWERING });
}
