/** One large event in chunks of one byte: how long it takes, and what memory. */

import { McpClient, type Target } from "./mcp_client.ts";
import { MEMORY_IS_TOLD, readPeakKiB } from "./memory.ts";
import { settledKiB } from "./rss.ts";
import type { Bench } from "./sections.ts";
import { percentile, shuffled, sortSamples } from "./stats.ts";

/** Before anything is measured every target passes a few smaller ones on. */
const WARM_UP_EVENTS = 10;
const WARM_UP_EVENT_BYTES = 64 * 1024;

/** Long enough for one that takes its time, short enough to end. */
const DEADLINE_MS = 120_000;

/** What the dripped section asks for. */
export interface DrippedPlan {
  /** Sizes of the event, in KiB. */
  readonly sizesKiB: readonly number[];
  /** Events of each size. */
  readonly rounds: number;
}

/** What one target needed for the events of one size. */
export interface DrippedFigures {
  readonly target: string;
  readonly sizeKiB: number;
  readonly elapsedMs: readonly number[];
  /** Most resident memory up to then beyond that before the first event, where it is known. */
  readonly grownKiB?: number;
}

/** The same, with what tells whether the time is linear in the size. */
export interface DrippedRow {
  readonly target: string;
  readonly sizeKiB: number;
  readonly medianMs: number;
  readonly msPerMiB: number;
  /** Time per MiB, as a ratio to that of the smallest size. */
  readonly toSmallest: number;
  readonly grownKiB?: number;
}

/** The dripped section. */
export interface DrippedSummary {
  readonly plan: DrippedPlan;
  readonly rows: readonly DrippedRow[];
}

interface Party {
  readonly target: Target;
  readonly pid: number | undefined;
  readonly beforeKiB: number;
}

async function warmedUp(bench: Bench, target: Target): Promise<Party> {
  const pid = MEMORY_IS_TOLD ? target.pid : undefined;
  for (let event = 0; event < WARM_UP_EVENTS; event++) {
    await drip(bench, target, WARM_UP_EVENT_BYTES);
  }
  return { target, pid, beforeKiB: pid === undefined ? 0 : await settledKiB(pid) };
}

/** One event, for a client of its own: while slow targets take theirs, the connections of others would end. */
async function drip(bench: Bench, target: Target, eventBytes: number): Promise<number> {
  const client = await McpClient.open(target, bench.watchdog, DEADLINE_MS);
  try {
    return await client.drip(eventBytes);
  } finally {
    client.close();
  }
}

/** Measures targets that were just started, the sizes in ascending order, since a peak never sinks. */
export async function measureDripped(bench: Bench, plan: DrippedPlan): Promise<DrippedFigures[]> {
  const parties: Party[] = [];
  const figures: DrippedFigures[] = [];
  for (const target of bench.targets) parties.push(await warmedUp(bench, target));
  for (const sizeKiB of [...plan.sizesKiB].sort((left, right) => left - right)) {
    const elapsedMs = new Map<Target, number[]>(bench.targets.map((target) => [target, []]));
    for (let round = 0; round < plan.rounds; round++) {
      for (const { target } of shuffled(parties, bench.random)) {
        elapsedMs.get(target)?.push(await drip(bench, target, sizeKiB * 1024));
      }
    }
    for (const { target, pid, beforeKiB } of parties) {
      const grown = pid === undefined ? {} : { grownKiB: await readPeakKiB(pid) - beforeKiB };
      const times = elapsedMs.get(target) ?? [];
      figures.push({ target: target.name, sizeKiB, elapsedMs: times, ...grown });
    }
  }
  return figures;
}

/** From times to times per MiB, targets together: pure. */
export function summariseDripped(figures: readonly DrippedFigures[]): DrippedRow[] {
  const names = [...new Set(figures.map(({ target }) => target))];
  return names.flatMap((name) => {
    let smallest: number | undefined;
    return figures.filter(({ target }) => target === name).map((one): DrippedRow => {
      const { target, sizeKiB, grownKiB } = one;
      const medianMs = percentile(sortSamples([one.elapsedMs]), 0.5);
      const msPerMiB = medianMs / (sizeKiB / 1024);
      smallest ??= msPerMiB;
      const grown = grownKiB === undefined ? {} : { grownKiB };
      return { target, sizeKiB, medianMs, msPerMiB, toSmallest: msPerMiB / smallest, ...grown };
    });
  });
}
