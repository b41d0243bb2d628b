/**
 * The servers behind the proxy: one interface, and how each transport implements it.
 *
 * May import `errors.ts`, `clock.ts`, `http`, `http1`, `sse`; never `session` or `front`.
 *
 * @module
 */

export type {
  SentTo,
  Upstream,
  UpstreamAnswer,
  UpstreamBody,
  UpstreamCall,
  WholeAnswer,
} from "./upstream.ts";
export { type StreamableHttpOptions, streamableHttpUpstream } from "./streamable_http.ts";
export { requestFields, responseFields, withDashes } from "./fields.ts";
export { challengesIn } from "./told_fields.ts";
export {
  nameMetadata,
  originOf,
  RESOURCE_METADATA,
  type ToldChallenges,
} from "./told_challenges.ts";
export { AnswerBody, type BodyControl, type BodyTimer } from "./answer_body.ts";
export type {
  HttpAnswer,
  HttpClient,
  HttpClientFactory,
  HttpClientOptions,
  HttpRequest,
  HttpTarget,
  HttpTimeouts,
  TlsOptions,
} from "./http_client.ts";
export { parseTarget, type UpstreamAddress } from "./target.ts";
export { http1Client } from "./http1/client.ts";
export { http2Client } from "./http2_client.ts";
export { isConnectionFailure, isSafeRequest, mayRepeat, mayRetry } from "./retry.ts";
export { heldBody } from "./held_body.ts";
export { type LookedInto, lookInto, mayBeLost } from "./lost_session.ts";
export { unlessAborted } from "./unless_aborted.ts";
