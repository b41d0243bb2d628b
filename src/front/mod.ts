/**
 * How clients face the proxy: the checks at the door, Streamable HTTP, and HTTP+SSE.
 *
 * May import `auth` types, `config` types, `era`, `errors.ts`, `http`, `json`, `rpc`, `session`, `sse`, and
 * the interface of `upstream`; never an upstream transport.
 *
 * @module
 */

export { AbandonedSessions, type Farewell } from "./abandoned.ts";
export { allowedOrigin, checkHost, checkReader, type DoorRules, targetPath } from "./door.ts";
export { preflight, withCors } from "./cors.ts";
export { Exchanges, type Followed } from "./exchanges.ts";
export {
  HttpSseClients,
  HttpSseFront,
  type HttpSseFrontOptions,
  httpSseSessions,
} from "./http_sse.ts";
export type { SseRouteOptions } from "./sse_route.ts";
export { Recovery } from "./recovery.ts";
export type { RecoveryOptions } from "./session_renewals.ts";
export { type FailureFacts, type FailureSinks, tellFailure } from "./failures.ts";
export { refusal } from "./refusal.ts";
export type { Front, FrontOptions, RequestFacts } from "./front.ts";
export { streamableHttpFront } from "./streamable_http.ts";
export type { InterceptorsOptions } from "./interceptors.ts";
export { ListedTools } from "./listed_tools.ts";
export { SessionStreamBook } from "./stream_book.ts";
export { Streams } from "./streams.ts";
export type { ServedRoute, StreamContext, StreamsOptions } from "./streams_options.ts";
export type { FrontUse, Served } from "./use.ts";
