/**
 * Servers that speak in messages, one stream of them each way, behind the `Upstream` interface: no answer
 * belongs to a request but by its id.
 *
 * `channel.ts` is the seam to such a transport. `channel_upstream.ts` finds the session of a call,
 * `session.ts` is one channel: `calls.ts` sends requests and answers them, `requests.ts` knows which are in
 * flight, `listeners.ts` has the GET streams and what waits, `taker.ts` says who is told, `idle_watch.ts` when
 * nobody has used it for long. `modern_channels.ts` has one `modern_channel.ts` for each principal whose requests
 * have no session. `held_channel.ts` and `cancellation.ts` are for both. `stdio.ts` opens channels to processes: `child.ts` is one of them, `lines.ts`
 * frames what it writes, `bounded_log.ts` keeps its chatter within bounds. `http_sse.ts` opens channels to
 * servers of 2024-11-05: `http_sse_requests.ts` says what its requests carry, `http_sse_refusals.ts` what is wrong.
 *
 * May import `clock.ts`, `errors.ts`, `http`, `relay` (for the back-off), `rpc` (for messages as text and
 * answers of the proxy's own), `sse`, `telemetry` and `upstream`; never `session` or `front`.
 *
 * @module
 */

export type { Channel, ChannelEvents, OpenChannel } from "./channel.ts";
export { LineReader, type LongLines } from "./lines.ts";
export { type ChannelUpstream, channelUpstream } from "./channel_upstream.ts";
export type { ChannelLimits, ChannelStats, ChannelUpstreamOptions } from "./options.ts";
export { httpSseChannel } from "./http_sse.ts";
export type { HttpSseOptions } from "./http_sse_requests.ts";
export { stdioChannel, type StdioOptions } from "./stdio.ts";
