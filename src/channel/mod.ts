/**
 * Transports that are one stream of messages each way: the seam, and HTTP+SSE of 2024-11-05.
 *
 * May import `clock.ts`, `errors.ts`, `http`, `sse` and `upstream`; never `session` or `front`.
 *
 * @module
 */

export type { Channel, ChannelEvents, OpenChannel } from "./channel.ts";
export { httpSseChannel, type HttpSseOptions } from "./http_sse.ts";
