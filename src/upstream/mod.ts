/**
 * The servers behind the proxy: one interface, and how each transport implements it.
 *
 * May import `errors.ts`, `clock.ts`, `sse`; never `session` or `front`.
 *
 * @module
 */

export type { Upstream, UpstreamAnswer, UpstreamBody, UpstreamCall } from "./upstream.ts";
export { type StreamableHttpOptions, streamableHttpUpstream } from "./streamable_http.ts";
export { requestFields, responseFields } from "./fields.ts";
export { AnswerBody, type BodyControl, type BodyTimer, type Bytes } from "./answer_body.ts";
export type { HttpAnswer, HttpClient, HttpRequest, HttpTimeouts } from "./http_client.ts";
export { undiciClient, type UndiciClientOptions } from "./undici_client.ts";
