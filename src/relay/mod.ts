/**
 * Event streams on their way to clients: as bytes, or event by event with ids of the proxy's, kept going
 * when either side breaks off.
 *
 * May import `clock`, `errors`, `event_log`, `http`, `intercept`, `sse`, `upstream`.
 *
 * @module
 */

export { Attachment, type Reader, type ReaderEvents } from "./attachment.ts";
export { type BackOff, delayBefore, Polls } from "./back_off.ts";
export { EventStream } from "./event_stream.ts";
export { pause } from "./pause.ts";
export type { Outgoing } from "./framing.ts";
export { type Inspect, type InspectedOptions, InspectedStream } from "./inspect.ts";
export { type LiveStream, LiveStreams } from "./live_streams.ts";
export { keepAlive, type Silent } from "./keep_alive.ts";
export type { RelayLimits } from "./limits.ts";
export { NEW_STREAM_NOTICE } from "./notices.ts";
export { Pending } from "./pending.ts";
export { type PassingOptions, PassingStream, type Pieces } from "./passing_stream.ts";
export { Reconnect, type ReconnectOptions } from "./reconnect.ts";
export {
  type NewStream,
  type RestoredStream,
  SessionStreams,
  type SessionStreamsOptions,
} from "./session_streams.ts";
export type {
  FoundStream,
  PeerMessage,
  Peers,
  PeerWord,
  PeerWords,
  StreamDirectory,
  StreamEntry,
  StreamMark,
} from "./stream_directory.ts";
export type { SessionNames } from "./session_names.ts";
export { Instances, type InstancesOptions, type Resumption } from "./instances.ts";
export { type StreamKind, StreamTally, StreamTraffic, type TrafficSum } from "./traffic.ts";
