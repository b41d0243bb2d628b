/**
 * What is answered to something that is no request.
 *
 * @module
 */

import { type ErrorKind, ProxyError, toProxyError } from "../errors.ts";
import { HttpSyntaxError, type SyntaxFault } from "../http1/mod.ts";

const REFUSALS: Readonly<Record<SyntaxFault, readonly [ErrorKind, string]>> = {
  syntax: ["bad_request", "This is no request that HTTP/1.1 allows."],
  version: ["version_not_supported", "Only HTTP/1.1 and HTTP/1.0 are spoken here."],
  firstLineTooLong: ["target_too_long", "The request line is too long."],
  headTooLarge: ["head_too_large", "The head of the request is too large."],
};

/** The refusal for what was thrown while a head was read. */
export function toRefusal(thrown: unknown): ProxyError {
  if (!(thrown instanceof HttpSyntaxError)) return toProxyError(thrown);
  const [kind, sentence] = REFUSALS[thrown.fault];
  return new ProxyError(kind, sentence, { cause: thrown });
}
