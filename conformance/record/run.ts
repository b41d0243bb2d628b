/**
 * Recording many cases: some at once, and what came of each.
 *
 * @module
 */

import { type Fixture, readFixture } from "../../fixtures/format/mod.ts";
import type { Processes } from "../official_processes.ts";
import { pathOf, type RecordCase } from "./case.ts";
import { diffLines, formatDiff, linesOf } from "./compare.ts";
import { record, type Studio } from "./recording.ts";
import { Servers } from "./servers.ts";

/** How many cases are recorded at once; most of the time they wait. */
const AT_ONCE = 4;

/**
 * How often a case that failed or differs is recorded again, alone, before that counts: on a busy
 * machine a client may have waited too briefly for something that nothing tells it of.
 */
const FURTHER_TRIES = 2;

/** What came of a case. */
export interface Outcome {
  readonly item: RecordCase;
  readonly status: "same" | "different" | "missing" | "failed";
  /** The differences, or what failed. */
  readonly text: string;
}

/** What a run works with. */
export interface RunOptions {
  /** Starts the recorders and servers; the caller closes it. */
  readonly processes: Processes;
  /** The root of the committed fixtures. */
  readonly committed: string;
  /** Where to record to. */
  readonly folder: string;
  /** Called for each case when it is done. */
  readonly onOutcome?: (outcome: Outcome) => void;
}

/** Records cases and compares each with its committed fixture. */
export async function recordAll(
  cases: readonly RecordCase[],
  { processes, committed, folder, onOutcome = () => {} }: RunOptions,
): Promise<Outcome[]> {
  await using servers = new Servers(processes);
  const studio = { processes, servers };
  const outcomes: Outcome[] = [];
  const done = (outcome: Outcome) => {
    outcomes.push(outcome);
    onOutcome(outcome);
  };
  const again: RecordCase[] = [];
  await eachOf(cases, AT_ONCE, async (item) => {
    const outcome = await outcomeOf(studio, item, committed, folder);
    if (outcome.status === "same" || outcome.status === "missing") done(outcome);
    else again.push(item);
  });
  for (const item of again) done(await patientOutcome(studio, item, committed, folder));
  return outcomes;
}

async function patientOutcome(
  studio: Studio,
  item: RecordCase,
  committed: string,
  folder: string,
): Promise<Outcome> {
  let outcome = await outcomeOf(studio, item, committed, folder);
  for (let tries = 1; tries < FURTHER_TRIES && outcome.status !== "same"; tries++) {
    outcome = await outcomeOf(studio, item, committed, folder);
  }
  return outcome;
}

async function outcomeOf(
  studio: Studio,
  item: RecordCase,
  committed: string,
  folder: string,
): Promise<Outcome> {
  try {
    await record(studio, item, folder);
    const now = await readFixture(`${folder}/${pathOf(item)}`);
    if (now.meta.revision !== item.revision) {
      return { item, status: "failed", text: `recorded as revision ${now.meta.revision}` };
    }
    const before = await readIfThere(`${committed}/${pathOf(item)}`);
    if (before === undefined) return { item, status: "missing", text: "" };
    const diff = diffLines(linesOf(before), linesOf(now));
    return { item, status: diff.length === 0 ? "same" : "different", text: formatDiff(diff) };
  } catch (error) {
    return { item, status: "failed", text: error instanceof Error ? error.message : String(error) };
  }
}

async function readIfThere(folder: string): Promise<Fixture | undefined> {
  try {
    return await readFixture(folder);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Does something with each item, with `atOnce` of them at a time. */
async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
