/**
 * What a proxy adds to the time of a call: the checks of group `latency`. They have a phase of their
 * own after all cases, with a lean mock in a process of its own on the same port. May import
 * `bench/*.ts`, `suite` and nothing else of `conformance`.
 *
 * @module
 */

export * from "./gate.ts";
export * from "./measure.ts";
export * from "./plan.ts";
