/**
 * A failure as an HTTP answer: one JSON-RPC error with a plain sentence, and nothing else (R99).
 *
 * @module
 */

import { errorBody, type ProxyError } from "../errors.ts";
import { type ClientAnswer, jsonAnswer } from "../http/mod.ts";

/** The answer for a failure. */
export function refusal(error: ProxyError): ClientAnswer {
  return jsonAnswer(error.status, errorBody(error), error.headers);
}
