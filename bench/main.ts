/**
 * The bench: MCP calls direct, through the proxy and through nginx, interleaved in one run.
 *
 * See README.md for what is measured and how to read it.
 */

import { Cleanup, cleanUpOnSignals } from "./cleanup.ts";
import { Watchdog } from "./http_client.ts";
import { CANDIDATES, type Options, parseOptions, repeatCommand, usage } from "./options.ts";
import { MEMORY_IS_TOLD, readOpenFileLimit } from "./memory.ts";
import { note, print } from "./print.ts";
import { type Report, reportLines, type RunFacts, type StreamSummary } from "./report.ts";
import { fittingStreams, measureRss, type RssRow, type RssSummary } from "./rss.ts";
import {
  type Bench,
  measureLatency,
  measureStreams,
  measureThroughput,
  roundsFor,
} from "./sections.ts";
import { seededRandom } from "./stats.ts";
import { type LatencySummary, summariseLatency, summariseRates } from "./summary.ts";
import { DIRECT, NGINX, startTargets } from "./targets.ts";

function factsOf(options: Options, skipped: readonly string[]): RunFacts {
  return {
    command: repeatCommand(options),
    deno: Deno.version.deno,
    platform: `${Deno.build.os} ${Deno.build.arch}`,
    cores: navigator.hardwareConcurrency,
    loadAverage: Deno.loadavg()[0] ?? NaN,
    skipped,
    candidates: CANDIDATES.filter((candidate) => options.targets.includes(candidate)),
    ...(options.proxyUrl === undefined ? {} : { foreignUrl: options.proxyUrl }),
  };
}

async function latency(bench: Bench, options: Options): Promise<LatencySummary[]> {
  const { calls, pauseMs } = options;
  const summaries: LatencySummary[] = [];
  for (const connections of options.connections) {
    for (const serviceMs of options.serviceMs) {
      note(`latency, upstream ${serviceMs} ms, --connections=${connections} ...`);
      const rounds = roundsFor(options.rounds, connections);
      const plan = { serviceMs, rounds, calls, connections, pauseMs };
      const measured = await measureLatency(bench, plan);
      summaries.push(summariseLatency(plan, measured, DIRECT, NGINX, bench.random));
    }
  }
  return summaries;
}

async function streams(bench: Bench, options: Options): Promise<StreamSummary[]> {
  const summaries: StreamSummary[] = [];
  for (const writeBytes of options.writeBytes) {
    note(`sse, --write-bytes=${writeBytes} ...`);
    const plan = { rounds: options.streamRounds, events: options.events, writeBytes };
    const measured = await measureStreams(bench, plan);
    summaries.push({ plan, rows: summariseRates(measured, DIRECT, NGINX, bench.random) });
  }
  return summaries;
}

/** Starts every target anew, since memory that was used before is reused unseen. */
async function rss(
  bench: Bench & { readonly cleanup: Cleanup },
  options: Options,
  streams: number,
): Promise<RssSummary> {
  const cleanup = new Cleanup();
  await bench.cleanup.add(() => cleanup.run());
  const rows: RssRow[] = [];
  try {
    const fresh = { ...options, idleStreams: streams, upstreamPort: 0, proxyUrl: undefined };
    const { targets } = await startTargets(fresh, cleanup);
    for (const target of targets) {
      if (target.name === DIRECT || target.pid === undefined) continue;
      note(`rss, ${target.name} ...`);
      rows.push(await measureRss(target, target.pid, streams, bench.watchdog));
    }
  } finally {
    await cleanup.run();
  }
  return { streams, rows };
}

/** How many idle streams there can be, and a line where that is not what was asked for. */
async function idleStreamsOf(options: Options): Promise<{ streams: number; said: string[] }> {
  if (!options.sections.includes("rss")) return { streams: 0, said: [] };
  if (!MEMORY_IS_TOLD) return { streams: 0, said: ["rss: SKIPPED, only Linux has /proc"] };
  const limit = await readOpenFileLimit();
  const streams = fittingStreams(options.idleStreams, limit);
  const said: string[] = [];
  if (streams < options.idleStreams) {
    said.push(
      `rss: ${streams} streams in place of ${options.idleStreams}, for ${limit} open files`,
    );
  }
  if (options.proxyUrl !== undefined) said.push("rss: not of foreign, whose process is not known");
  return { streams, said };
}

async function runSections(
  bench: Bench & { readonly cleanup: Cleanup },
  options: Options,
  facts: RunFacts,
  idleStreams: number,
): Promise<Report> {
  let report: Report = { facts };
  if (options.sections.includes("latency")) {
    report = { ...report, latency: await latency(bench, options) };
  }
  if (options.sections.includes("throughput")) {
    note("throughput ...");
    const measured = await measureThroughput(bench, options.slices);
    report = { ...report, throughput: summariseRates(measured, DIRECT, NGINX, bench.random) };
  }
  if (options.sections.includes("sse")) {
    report = { ...report, sse: await streams(bench, options) };
  }
  if (idleStreams > 0) report = { ...report, rss: await rss(bench, options, idleStreams) };
  return report;
}

async function run(options: Options, cleanup: Cleanup): Promise<void> {
  const { targets, skipped } = await startTargets(options, cleanup);
  const { streams, said } = await idleStreamsOf(options);
  const facts = factsOf(options, [...skipped, ...said]);
  facts.skipped.forEach(note);
  const watchdog = new Watchdog();
  await cleanup.add(() => watchdog.close());
  const bench = { targets, watchdog, random: seededRandom(options.seed), cleanup };
  const report = await runSections(bench, options, facts, streams);
  if (options.json) print(JSON.stringify(report, null, 2));
  else reportLines(report).forEach(print);
}

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseOptions(args);
  if (parsed.kind === "help") {
    print(usage());
    return 0;
  }
  if (parsed.kind === "problems") {
    parsed.problems.forEach(note);
    return 2;
  }
  const cleanup = new Cleanup();
  cleanUpOnSignals(cleanup);
  try {
    await run(parsed.options, cleanup);
    return 0;
  } catch (error) {
    if (!cleanup.begun) note(`bench failed: ${(error as Error).message}`);
    return cleanup.begun ? 130 : 1;
  } finally {
    await cleanup.run();
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
