/**
 * Bounds of calls between instances.
 *
 * @module
 */

/** Bounds; each has a test. */
export interface PeerCallBounds {
  /** Calls to other instances at one time, and as many of theirs to this one. */
  readonly maxCalls: number;
  /** Bytes of a request or an answer that may be on their way, or wait for their reader. */
  readonly windowBytes: number;
  /** Bytes of a body in one message. */
  readonly chunkBytes: number;
  /** The longest body of a request, in bytes. */
  readonly maxBodyBytes: number;
  /** Bytes of all requests of others that are under way. */
  readonly maxWaitingBytes: number;
  /** Time between signs of life where there is nothing else to say, in milliseconds. */
  readonly beatMs: number;
  /** The longest silence of the other end, in milliseconds. */
  readonly silenceMs: number;
  /** How long an instance is tried that runs and does not hear, in milliseconds. */
  readonly openMs: number;
  /** Time between these tries, in milliseconds. */
  readonly againMs: number;
}

/** Bounds where nothing else is said. An instance that was killed is taken to run for six seconds. */
export const DEFAULT_PEER_CALL_BOUNDS: PeerCallBounds = {
  maxCalls: 10_000,
  windowBytes: 65_536,
  chunkBytes: 16_384,
  maxBodyBytes: 4_194_304,
  maxWaitingBytes: 67_108_864,
  beatMs: 5_000,
  silenceMs: 15_000,
  openMs: 8_000,
  againMs: 250,
};
