/**
 * How latency is measured: pure.
 *
 * @module
 */

import type { LatencyPlan } from "../../bench/sections.ts";

/** The service time of the upstream at which the proxy is judged, in milliseconds. */
export const GATED_SERVICE_MS = 20;

/** Rounds at the gated service time, where nothing else is asked for. */
export const USUAL_ROUNDS = 100;

/** Calls to each target in one round: few, so that what disturbs one target disturbs all. */
const CALLS_IN_ROUND = 3;

/**
 * The service times; the first is judged, the others are reported, with half the rounds.
 *
 * A client that pauses is what an agent is: each hop wakes up cold. While the server takes 20 ms every
 * hop is as cold as it gets, so no pause is needed there.
 */
const TABLES: readonly Pick<LatencyPlan, "serviceMs" | "pauseMs">[] = [
  { serviceMs: GATED_SERVICE_MS, pauseMs: 0 },
  { serviceMs: 5, pauseMs: 2 },
  { serviceMs: 0, pauseMs: 2 },
];

/** The tables of a run, the judged one first. */
export function latencyPlans(rounds: number = USUAL_ROUNDS): readonly LatencyPlan[] {
  return TABLES.map((table, at) => ({
    ...table,
    rounds: at === 0 ? rounds : Math.max(2, Math.ceil(rounds / 2)),
    calls: CALLS_IN_ROUND,
    connections: 1,
  }));
}
