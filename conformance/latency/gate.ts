/**
 * From figures to verdicts: pure.
 *
 * @module
 */

import type { Estimate, LatencySummary } from "../../bench/summary.ts";
import type { Check, Verdict } from "../suite/mod.ts";
import { GATED_SERVICE_MS } from "./plan.ts";

/** The name of the proxy under test in the tables. */
export const SUBJECT = "proxy";

/** The largest ratio of 95th percentiles, proxied to direct, that the upper bound may reach. */
export const MOST_P95_RATIO = 1.05;

/** What is judged. */
export const LATENCY_CHECK: Check = {
  id: "latency.p95-20ms",
  group: "latency",
  title:
    `the 95th percentile of calls that take the server ${GATED_SERVICE_MS} ms grows by at most 5 %`,
  source:
    "issue 4; bench/README.md: ratio of p95 through the proxy to p95 direct, interleaved in one " +
    "run, upper bound of the 95 % bootstrap interval",
};

/** The checks of this phase. */
export const LATENCY_CHECKS: readonly Check[] = [LATENCY_CHECK];

/** What the tables say about the checks. */
export function judgeLatency(summaries: readonly LatencySummary[]): readonly Verdict[] {
  const table = summaries.find(({ plan }) => plan.serviceMs === GATED_SERVICE_MS);
  const ratio = table?.rows.find(({ target }) => target === SUBJECT)?.p95Ratio;
  const message = ratio === undefined ? "it was not measured" : problemOf(ratio);
  const check = LATENCY_CHECK.id;
  return [message === undefined ? { check, status: "pass" } : { check, status: "fail", message }];
}

function problemOf(ratio: Estimate): string | undefined {
  const { low, high } = ratio.interval;
  if (high <= MOST_P95_RATIO) return undefined;
  const figures = `the p95 ratio at ${GATED_SERVICE_MS} ms is ${ratio.value.toFixed(3)}, 95 % ` +
    `interval [${low.toFixed(3)}, ${high.toFixed(3)}]; its upper bound must be at most ` +
    MOST_P95_RATIO.toFixed(2);
  if (!(low <= MOST_P95_RATIO)) return figures;
  return `uncertain: ${figures}. The bound lies inside the interval: on a quieter machine, or with ` +
    "more --rounds, it may come out either way";
}
