/**
 * A failure as an HTTP answer: one JSON-RPC error with a plain sentence, and nothing else (R99).
 *
 * @module
 */

import { errorBody, type ProxyError } from "../errors.ts";

/** The answer for a failure. */
export function refusal(error: ProxyError): Response {
  return new Response(errorBody(error), {
    status: error.status,
    headers: { "content-type": "application/json", ...error.headers },
  });
}
