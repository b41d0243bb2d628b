/**
 * Event streams: what they look like in HTTP, and watching the events that go by.
 *
 * Imports nothing else of `src`.
 *
 * @module
 */

export { EVENT_STREAM, isEventStream, streamFields } from "./relay.ts";
export { watchEvents } from "./watch.ts";
