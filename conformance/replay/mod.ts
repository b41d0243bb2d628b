/**
 * Replays recorded fixtures through a proxy and judges what both sides saw. May import `suite`, `mock`,
 * `wire` and the format of fixtures.
 *
 * @module
 */

export * from "./case.ts";
export { JUDGEMENTS, REPLAY_CHECKS } from "./judge.ts";
export { play, type PlayOptions } from "./play.ts";
