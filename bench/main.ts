/**
 * The bench: MCP calls direct, through the proxy and through nginx, interleaved in one run.
 *
 * See README.md for what is measured and how to read it.
 */

import { Cleanup, cleanUpOnSignals } from "./cleanup.ts";
import { Watchdog } from "./http_client.ts";
import { type Options, parseOptions, repeatCommand, usage } from "./options.ts";
import { note, print } from "./print.ts";
import { type Report, reportLines, type RunFacts, type StreamSummary } from "./report.ts";
import { type Bench, measureLatency, measureStreams, measureThroughput } from "./sections.ts";
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
    ...(options.proxyUrl === undefined ? {} : { foreignUrl: options.proxyUrl }),
  };
}

async function latency(bench: Bench, options: Options): Promise<LatencySummary[]> {
  const { rounds, calls, connections, pauseMs } = options;
  const summaries: LatencySummary[] = [];
  for (const serviceMs of options.serviceMs) {
    note(`latency, upstream ${serviceMs} ms ...`);
    const plan = { serviceMs, rounds, calls, connections, pauseMs };
    const measured = await measureLatency(bench, plan);
    summaries.push(summariseLatency(plan, measured, DIRECT, bench.random));
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

async function runSections(bench: Bench, options: Options, facts: RunFacts): Promise<Report> {
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
  return report;
}

async function run(options: Options, cleanup: Cleanup): Promise<void> {
  const { targets, skipped } = await startTargets(options, cleanup);
  for (const line of skipped) note(line);
  const facts = factsOf(options, skipped);
  const watchdog = new Watchdog();
  await cleanup.add(() => watchdog.close());
  const bench = { targets, watchdog, random: seededRandom(options.seed) };
  const report = await runSections(bench, options, facts);
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
