/**
 * Event streams: what they look like in HTTP, reading and writing their events, and watching them go
 * by.
 *
 * May import `http`.
 *
 * @module
 */

export { encodeEvent, encodeEvents, type OutEvent } from "./encode.ts";
export { EventTooLargeError, type SseEvent } from "./event.ts";
export { EventParser, type ParserLimits } from "./parser.ts";
export { EVENT_STREAM, isEventStream, JSON_TYPE, mediaTypeOf, streamFields } from "./relay.ts";
export { watchEvents } from "./watch.ts";
