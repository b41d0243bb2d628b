/** The sections that look at memory: each starts its targets anew, since memory used before hides. */

import { Cleanup } from "./cleanup.ts";
import { type DrippedSummary, measureDripped, summariseDripped } from "./dripped.ts";
import type { Target } from "./mcp_client.ts";
import { MEMORY_IS_TOLD, readOpenFileLimit } from "./memory.ts";
import { CANDIDATES, type Options, type Section, type StartedTarget } from "./options.ts";
import { note } from "./print.ts";
import { fittingStreams, measureRss, type RssRow, type RssSummary } from "./rss.ts";
import type { Bench } from "./sections.ts";
import { measureStalled, type StalledRow, type StalledSummary } from "./stalled.ts";
import { PROXY, startTargets } from "./targets.ts";

/** A bench that starts processes of its own. */
export type OwningBench = Bench & { readonly cleanup: Cleanup };

/** What can be measured here, and lines where that is not what was asked for. */
export interface MemoryPlan {
  readonly idleStreams: readonly number[];
  readonly stalled: boolean;
  readonly said: readonly string[];
}

/** What was found; a section that was not asked for is absent. */
export interface MemoryReport {
  readonly rss?: readonly RssSummary[];
  readonly dripped?: DrippedSummary;
  readonly stalled?: StalledSummary;
}

const SECTIONS_HERE: readonly Section[] = ["rss", "dripped", "stalled"];

/** Looks at the system for what it allows. */
export async function memoryPlan(options: Options): Promise<MemoryPlan> {
  const wanted = SECTIONS_HERE.filter((section) => options.sections.includes(section));
  const said: string[] = [];
  if (options.proxyUrl !== undefined && wanted.length > 0) {
    said.push(`${wanted.join(", ")}: without foreign, which is not started anew`);
  }
  const stalled = wanted.includes("stalled");
  const rss = wanted.includes("rss");
  if (!MEMORY_IS_TOLD) {
    for (const section of wanted) {
      if (section !== "dripped") said.push(`${section}: SKIPPED, only Linux has /proc`);
    }
    return { idleStreams: [], stalled: false, said };
  }
  if (!rss) return { idleStreams: [], stalled, said };
  const limit = await readOpenFileLimit();
  const idleStreams = options.idleStreams.map((asked) => {
    const streams = fittingStreams(asked, limit);
    if (streams < asked) {
      said.push(`rss: ${streams} streams in place of ${asked}, for ${limit} open files`);
    }
    return streams;
  });
  return { idleStreams: [...new Set(idleStreams)].filter((count) => count > 0), stalled, said };
}

/** The started targets other than the mock, without the proxy that is in no mode. */
function streamOptions(options: Options, streams: number) {
  const targets = options.targets.filter((name) => name !== PROXY);
  return { ...options, targets, streams, upstreamPort: 0, proxyUrl: undefined };
}

/** Starts targets for the time of `use`. */
async function withFresh<T>(
  bench: OwningBench,
  options: ReturnType<typeof streamOptions>,
  use: (targets: readonly Target[]) => Promise<T>,
): Promise<T> {
  const cleanup = new Cleanup();
  await bench.cleanup.add(() => cleanup.run());
  try {
    const { targets } = await startTargets(options, cleanup);
    return await use(targets);
  } finally {
    await cleanup.run();
  }
}

function rss(bench: OwningBench, options: Options, streams: number): Promise<RssSummary> {
  return withFresh(bench, streamOptions(options, streams), async (targets) => {
    const rows: RssRow[] = [];
    for (const target of targets) {
      if (target.pid === undefined) continue;
      note(`rss, ${streams} streams, ${target.name} ...`);
      rows.push(await measureRss(target, target.pid, streams, bench.watchdog));
    }
    return { streams, rows };
  });
}

/** Without the candidates: `fetch` hands out each chunk by itself, and takes minutes for what others do in seconds. */
function dripped(bench: OwningBench, options: Options): Promise<DrippedSummary> {
  note("dripped ...");
  const candidates: readonly StartedTarget[] = CANDIDATES;
  const all = streamOptions(options, 0);
  const own = { ...all, targets: all.targets.filter((name) => !candidates.includes(name)) };
  return withFresh(bench, own, async (targets) => {
    const plan = { sizesKiB: options.drippedKib, rounds: options.drippedRounds };
    const rows = summariseDripped(await measureDripped({ ...bench, targets }, plan));
    return { plan, rows };
  });
}

/** One target at a time, with a mock of its own: a proxy that reads on afterwards disturbs no other. */
async function stalled(bench: OwningBench, options: Options): Promise<StalledSummary> {
  const { stalledMs } = options;
  const all = streamOptions(options, 0);
  const alone = [
    ...all.modes.map((mode) => ({ ...all, targets: [], modes: [mode] })),
    ...all.targets.map((target) => ({ ...all, targets: [target], modes: [] })),
  ];
  const rows: StalledRow[] = [];
  for (const one of alone) {
    const measured = await withFresh(bench, one, (targets) =>
      Promise.all(
        targets.flatMap((target) => {
          if (target.pid === undefined) return [];
          note(`stalled, ${target.name} ...`);
          return [measureStalled(target, target.pid, stalledMs, bench.watchdog)];
        }),
      ));
    rows.push(...measured);
  }
  return { stalledMs, rows };
}

/** Runs those of these sections that were asked for, and tells what each has found. */
export async function memorySections(
  bench: OwningBench,
  options: Options,
  plan: MemoryPlan,
  found: (report: MemoryReport) => void,
): Promise<void> {
  if (plan.idleStreams.length > 0) {
    const tables: RssSummary[] = [];
    for (const streams of plan.idleStreams) tables.push(await rss(bench, options, streams));
    found({ rss: tables });
  }
  if (options.sections.includes("dripped")) found({ dripped: await dripped(bench, options) });
  if (plan.stalled) found({ stalled: await stalled(bench, options) });
}
