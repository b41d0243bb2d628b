/**
 * Calls from one instance of the proxy to another: what one instance holds in its memory, such as a request
 * whose client has been asked something, can be had at all of them.
 *
 * `messages.ts` is the seam: short texts from instance to instance, which `directory` fills with Redis.
 * `words.ts` says what is in them, `link.ts` and `flow.ts` what both ends of a call have in common:
 * numbers, signs of life, windows. `outgoing.ts` is the end that calls, `incoming.ts` the one that is called,
 * `peer_calls.ts` all of an instance.
 *
 * May import `clock.ts`, `errors.ts`, `http` and `upstream`.
 *
 * @module
 */

export { DEFAULT_PEER_CALL_BOUNDS, type PeerCallBounds } from "./bounds.ts";
export type { InstanceMessages } from "./messages.ts";
export { PeerCalls, type PeerCallsOptions, type PeerService } from "./peer_calls.ts";
export { type LocalCalls, MAX_MESSAGE_CHARACTERS, type Verb } from "./words.ts";
