/**
 * JSON-RPC as text, and answers and streams of messages that the proxy makes itself: what `share`, `channel`
 * and `bridge` have in common.
 *
 * `text.ts` reads messages and exchanges stretches of them; `answers.ts` makes answers and reads them whole;
 * `exchange.ts` is a POST that waits for its responses, `event_body.ts` a stream of messages on its way to one
 * reader, `flow.ts` what holds their source back, `queued_stream.ts` one that loses its queue instead,
 * `waiting.ts` what nobody could be told yet. `requests_by_id.ts` refuses ids that are in use. `capabilities.ts` says what a client can be asked, `changes.ts`
 * what it is told behind a gap, `tool_headers.ts` which parameters of tools stand in header fields.
 *
 * May import `clock.ts`, `errors.ts`, `http`, `json`, `sse` and `upstream`.
 *
 * @module
 */

export {
  again,
  emptyAnswer,
  errorAnswer,
  jsonAnswer,
  keep,
  type KeptAnswer,
  noMember,
  readWithin,
  wholeBody,
} from "./answers.ts";
export { allCapabilities, canTake, type Capabilities, declared } from "./capabilities.ts";
export {
  changingLists,
  listChanged,
  type ListName,
  missedChanges,
  RESOURCE_UPDATED,
} from "./changes.ts";
export { CLIENT_INFO } from "./client_info.ts";
export { Drops, MAX_DROP_NAMES, nameOf } from "./drops.ts";
export { EventBody, type EventBodyOptions } from "./event_body.ts";
export { Exchange, type ExchangeOptions } from "./exchange.ts";
export { Flow, type FlowOptions, type FlowReader } from "./flow.ts";
export { readReply, type ReplyOptions } from "./reply.ts";
export { isLevel, mostVerbose, passes } from "./log_levels.ts";
export { type QueueBounds, QueuedStream, type QueuedStreamEvents } from "./queued_stream.ts";
export { type RequestsById, requestsById } from "./requests_by_id.ts";
export { covers } from "./resource_uris.ts";
export {
  at,
  decode,
  type Edit,
  encode,
  headerForm,
  isRecord,
  joined,
  type Key,
  keyOf,
  kindOf,
  likeType,
  readBody,
  type RpcBody,
  type RpcText,
  spanOf,
  splice,
  textAt,
  withTexts,
} from "./text.ts";
export { type HeaderParam, headerParams, mirroredValues } from "./tool_headers.ts";
export { Waiting, type WaitingBounds } from "./waiting.ts";
export { Turns } from "./turns.ts";
