/**
 * Event streams: what they look like in HTTP, and watching the events that go by.
 *
 * May import `http`.
 *
 * @module
 */

export { EVENT_STREAM, isEventStream, streamFields } from "./relay.ts";
export { watchEvents } from "./watch.ts";
