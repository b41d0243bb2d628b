/**
 * What the table of sessions answers where it has none to give.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";

const LATER = { headers: { "retry-after": "10" } };

/** The same for every reason why there is no such session (R72, R74, R81). */
export function notFound(): ProxyError {
  return new ProxyError(
    "session_not_found",
    "This session does not exist or has ended; start a new one with initialize.",
  );
}

/** One caller has too many (R85). */
export function principalExhausted(): ProxyError {
  return new ProxyError(
    "principal_exhausted",
    "This caller has as many sessions as it may; end one with DELETE, or try again later.",
    LATER,
  );
}

/** All together have too many (R85). */
export function sessionsExhausted(): ProxyError {
  return new ProxyError(
    "sessions_exhausted",
    "The proxy holds as many sessions as it may; try again later.",
    LATER,
  );
}
