/**
 * What an HTTP request, an answer and their header fields are inside the proxy.
 *
 * Imports nothing else of `src`.
 *
 * @module
 */

export { isAddress, isPublicAddress } from "./addresses.ts";
export { type Challenge, formatChallenges, parseChallenges } from "./challenges.ts";
export {
  detached,
  FieldList,
  type FieldReader,
  Fields,
  MAX_DERIVED,
  ReadFields,
} from "./fields.ts";
export {
  type AnswerSource,
  type Bytes,
  type CancelSignal,
  type ClientAnswer,
  type ClientRequest,
  type Deliver,
  type Handler,
  jsonAnswer,
  NEVER_ABORTED,
  streamOf,
} from "./exchange.ts";
export { NewestCredentials } from "./newest_credentials.ts";
export { inwardId, outwardId, targetOfId, UNNAMED } from "./session_id.ts";
export { ReplacedSource, Replacement } from "./replace.ts";
export { retryAfterMs } from "./retry_after.ts";
export { isSecureUrl } from "./secure_url.ts";
