/** From what was measured to the figures that are reported: pure. */

import type { LatencyPlan, Measured } from "./sections.ts";
import {
  bootstrapInterval,
  type Interval,
  percentile,
  type Random,
  ratePerSecond,
  type Slice,
  type SortedSamples,
  sortSamples,
} from "./stats.ts";

/** A figure with its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly interval: Interval;
}

/** One target's latencies; what compares with direct is absent for direct itself. */
export interface LatencyRow {
  readonly target: string;
  readonly calls: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly addedP50Us?: Estimate;
  readonly addedP95Us?: Estimate;
  readonly p95Ratio?: Estimate;
  /** What is added at the median, as a ratio to what the scale adds; absent for the scale itself. */
  readonly addedToScale?: Estimate;
}

/** One target's rate; a ratio is absent where its other side is. */
export interface RateRow {
  readonly target: string;
  readonly count: number;
  readonly perSecond: number;
  readonly toNginx?: Estimate;
  readonly toDirect?: Estimate;
}

/** One run of the latency section. */
export interface LatencySummary {
  readonly plan: LatencyPlan;
  readonly rows: readonly LatencyRow[];
}

/**
 * Percentiles of every target, and what it adds to the baseline.
 *
 * @param baseline what nothing is added to: direct
 * @param scale name of the target that the others are compared with: nginx, or another way through the proxy
 */
export function summariseLatency(
  plan: LatencyPlan,
  measured: readonly Measured<number[]>[],
  baseline: string,
  scale: string,
  random: Random,
): LatencySummary {
  const sorted = measured.map(({ name, rounds }) => ({ name, samples: sortSamples(rounds) }));
  const samplesOf = (wanted: string) => sorted.find(({ name }) => name === wanted)?.samples;
  const direct = samplesOf(baseline) ?? sortSamples([]);
  const below = samplesOf(scale);
  const addedAt = (fraction: number) => (samples: SortedSamples, weights?: Uint32Array): number =>
    (percentile(samples, fraction, weights) - percentile(direct, fraction, weights)) * 1000;
  const added = addedAt(0.5);
  const addedLate = addedAt(0.95);
  const rows = sorted.map(({ name, samples }): LatencyRow => {
    const figures = {
      target: name,
      calls: samples.values.length,
      p50Ms: percentile(samples, 0.5),
      p95Ms: percentile(samples, 0.95),
      p99Ms: percentile(samples, 0.99),
    };
    if (name === baseline) return figures;
    const estimate = (statistic: (weights?: Uint32Array) => number): Estimate => ({
      value: statistic(),
      interval: bootstrapInterval(plan.rounds, random, statistic),
    });
    const compared = {
      ...figures,
      addedP50Us: estimate((weights) => added(samples, weights)),
      addedP95Us: estimate((weights) => addedLate(samples, weights)),
      p95Ratio: estimate((weights) =>
        percentile(samples, 0.95, weights) / percentile(direct, 0.95, weights)
      ),
    };
    if (below === undefined || name === scale) return compared;
    const toScale = (weights?: Uint32Array): number =>
      added(samples, weights) / added(below, weights);
    return { ...compared, addedToScale: estimate(toScale) };
  });
  return { plan, rows };
}

/** Rates of every target, as ratios to nginx and to direct. */
export function summariseRates(
  measured: readonly Measured<Slice>[],
  direct: string,
  nginx: string,
  random: Random,
): RateRow[] {
  const estimate = (rounds: readonly Slice[], below: string): Estimate | undefined => {
    const others = measured.find(({ name }) => name === below)?.rounds;
    if (others === undefined || others === rounds) return undefined;
    const ratio = (weights?: Uint32Array): number =>
      ratePerSecond(rounds, weights) / ratePerSecond(others, weights);
    return { value: ratio(), interval: bootstrapInterval(rounds.length, random, ratio) };
  };
  return measured.map(({ name, rounds }): RateRow => {
    const toNginx = estimate(rounds, nginx);
    const toDirect = estimate(rounds, direct);
    return {
      target: name,
      count: rounds.reduce((sum, { count }) => sum + count, 0),
      perSecond: ratePerSecond(rounds),
      ...(toNginx === undefined ? {} : { toNginx }),
      ...(toDirect === undefined ? {} : { toDirect }),
    };
  });
}
