/** From what was measured in the section eras to the figures that are reported: pure. */

import type { Counts } from "./mock_counts.ts";
import type { LatencyPlan, Measured } from "./sections.ts";
import type { Random } from "./stats.ts";
import { type LatencyRow, summariseLatency } from "./summary.ts";

/** Client and server of the session era, through the proxy: what the others are compared with. */
export const SAME_ERA = "same era";

/** A modern client with a key, before a server of the session era. */
export const MODERN_WITH_KEY = "modern, key";

/** One target's latencies, and what the mock was asked for by them in the rounds that count. */
export interface EraRow extends LatencyRow {
  readonly asked: Counts;
}

/** One run of the section. */
export interface EraSummary {
  readonly plan: LatencyPlan;
  readonly rows: readonly EraRow[];
}

/** What was asked for between two looks at the counts of a path; what was not is left out. */
export function askedBetween(before: Counts = {}, after: Counts = {}): Counts {
  const asked = Object.entries(after).map(([what, count]): [string, number] => [
    what,
    count - (before[what] ?? 0),
  ]);
  return Object.fromEntries(asked.filter(([, count]) => count > 0));
}

/** All that the mock was asked for, divided by the calls of the clients. */
export function requestsPerCall({ asked, calls }: EraRow): number {
  return Object.values(asked).reduce((sum, count) => sum + count, 0) / calls;
}

/** The row of every target, in their order; the ratios are to what `same era` adds. */
export function summariseEras(
  plan: LatencyPlan,
  baseline: string,
  measured: readonly Measured<number[]>[],
  asked: ReadonlyMap<string, Counts>,
  random: Random,
): EraSummary {
  const { rows } = summariseLatency(plan, measured, baseline, SAME_ERA, random);
  return { plan, rows: rows.map((row) => ({ ...row, asked: asked.get(row.target) ?? {} })) };
}
