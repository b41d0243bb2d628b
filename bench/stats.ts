/**
 * Percentiles, bootstrap intervals and a seeded generator: pure, no clock, no I/O.
 *
 * Samples come in rounds, because what disturbs a machine lasts longer than one call: the bootstrap
 * draws whole rounds, and the same rounds for both sides of a ratio, so that a noisy moment that hit
 * both cancels out.
 */

/** A source of numbers in [0, 1). */
export type Random = () => number;

/** A two-sided interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Values of all rounds in ascending order, each with the round it came from. */
export interface SortedSamples {
  readonly values: Float64Array;
  readonly rounds: Uint32Array;
}

/** Resamples drawn for one interval. */
export const RESAMPLES = 1000;

/**
 * A small seeded generator (mulberry32): same seed, same order of targets, same intervals.
 *
 * @param seed any integer; its low 32 bits count
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** A shuffled copy (Fisher-Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const held = copy[last] as T;
    copy[last] = copy[other] as T;
    copy[other] = held;
  }
  return copy;
}

/** Pools the rounds and sorts them once, so that a resample costs a walk and not a sort. */
export function sortSamples(rounds: readonly (readonly number[])[]): SortedSamples {
  const pooled = rounds.flatMap((values, round) => values.map((value) => ({ value, round })));
  pooled.sort((left, right) => left.value - right.value);
  return {
    values: Float64Array.from(pooled, (sample) => sample.value),
    rounds: Uint32Array.from(pooled, (sample) => sample.round),
  };
}

/**
 * The nearest-rank percentile, each round counted as often as its weight says.
 *
 * @param fraction between 0 and 1, for example 0.95
 * @param weights one count for each round; without it every round counts once
 * @returns NaN where nothing was sampled
 */
export function percentile(
  samples: SortedSamples,
  fraction: number,
  weights?: Uint32Array,
): number {
  const { values, rounds } = samples;
  if (weights === undefined) {
    if (values.length === 0) return NaN;
    return values[Math.max(0, Math.ceil(fraction * values.length) - 1)] ?? NaN;
  }
  let total = 0;
  for (let at = 0; at < rounds.length; at++) total += weights[rounds[at] ?? 0] ?? 0;
  const rank = Math.max(1, Math.ceil(fraction * total));
  let seen = 0;
  for (let at = 0; at < rounds.length; at++) {
    seen += weights[rounds[at] ?? 0] ?? 0;
    if (seen >= rank) return values[at] ?? NaN;
  }
  return NaN;
}

/**
 * A 95 % percentile-bootstrap interval over rounds.
 *
 * @param roundCount rounds to draw from, with replacement
 * @param statistic the figure for a given count of each round
 */
export function bootstrapInterval(
  roundCount: number,
  random: Random,
  statistic: (weights: Uint32Array) => number,
  resamples = RESAMPLES,
): Interval {
  const figures: number[] = [];
  const weights = new Uint32Array(roundCount);
  for (let resample = 0; resample < resamples; resample++) {
    weights.fill(0);
    for (let drawn = 0; drawn < roundCount; drawn++) {
      const round = Math.floor(random() * roundCount);
      weights[round] = (weights[round] ?? 0) + 1;
    }
    const figure = statistic(weights);
    if (Number.isFinite(figure)) figures.push(figure);
  }
  const sorted = sortSamples([figures]);
  return { low: percentile(sorted, 0.025), high: percentile(sorted, 0.975) };
}

/** What was done in one slice of time. */
export interface Slice {
  readonly count: number;
  readonly elapsedMs: number;
}

/** Things done per second over all slices, each slice counted as often as its weight says. */
export function ratePerSecond(slices: readonly Slice[], weights?: Uint32Array): number {
  let count = 0;
  let elapsedMs = 0;
  slices.forEach((slice, round) => {
    const weight = weights === undefined ? 1 : weights[round] ?? 0;
    count += weight * slice.count;
    elapsedMs += weight * slice.elapsedMs;
  });
  return elapsedMs > 0 ? count / elapsedMs * 1000 : NaN;
}
