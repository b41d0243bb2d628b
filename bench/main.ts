/**
 * The bench: MCP calls direct, through the proxy and through nginx, interleaved in one run.
 *
 * See README.md for what is measured and how to read it.
 */

import { Cleanup, cleanUpOnSignals } from "./cleanup.ts";
import { measureEras } from "./eras.ts";
import { Watchdog } from "./http_client.ts";
import { CANDIDATES, type Options, parseOptions, repeatCommand, usage } from "./options.ts";
import { memoryPlan, memorySections, type OwningBench } from "./memory_sections.ts";
import { note, print } from "./print.ts";
import { type Report, reportLines, type RunFacts, type StreamSummary } from "./report.ts";
import {
  type Bench,
  latencyPlans,
  measureFirstEvents,
  measureLatency,
  measureStreams,
  measureThroughput,
} from "./sections.ts";
import { seededRandom } from "./stats.ts";
import { type LatencySummary, summariseLatency, summariseRates } from "./summary.ts";
import {
  availableModes,
  DIRECT,
  NGINX,
  PROXY,
  startTargets,
  targetsOfCalls,
  targetsOfStreams,
} from "./targets.ts";

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
  const summaries: LatencySummary[] = [];
  for (const connections of options.connections) {
    for (const serviceMs of options.serviceMs) {
      for (const plan of latencyPlans({ ...options, connections, serviceMs })) {
        const pace = plan.spreadMs === undefined ? "" : ", apart";
        note(`latency, upstream ${serviceMs} ms, --connections=${connections}${pace} ...`);
        const measured = await measureLatency(bench, plan);
        summaries.push(summariseLatency(plan, measured, DIRECT, NGINX, bench.random));
      }
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

/** The time that the first event of a stream takes, of pausing clients. */
async function firstEvents(bench: Bench, options: Options): Promise<LatencySummary> {
  note("first-event ...");
  const { rounds, calls, pauseMs } = options;
  const plan = { serviceMs: 0, rounds, calls, connections: 1, pauseMs };
  const measured = await measureFirstEvents(bench, plan);
  return summariseLatency(plan, measured, DIRECT, NGINX, bench.random);
}

/** What a run has found. */
type Found = Omit<Report, "facts">;

/** The sections in which all targets run at one time, from first to last; `found` is told after each. */
async function timedSections(
  bench: OwningBench,
  options: Options,
  found: (report: Found) => void,
): Promise<void> {
  const { sections } = options;
  const calls = { ...bench, targets: targetsOfCalls(bench.targets) };
  const ofStreams = { ...bench, targets: targetsOfStreams(bench.targets) };
  if (sections.includes("latency")) found({ latency: await latency(calls, options) });
  if (sections.includes("throughput")) {
    note("throughput ...");
    const measured = await measureThroughput(calls, options.slices);
    found({ throughput: summariseRates(measured, DIRECT, NGINX, bench.random) });
  }
  if (sections.includes("eras") && options.targets.includes(PROXY)) {
    note("eras ...");
    const { rounds, calls, pauseMs, erasServiceMs: serviceMs } = options;
    const plan = { serviceMs, rounds, calls, connections: 1, pauseMs };
    found({ eras: await measureEras(bench, plan) });
  }
  if (sections.includes("sse")) found({ sse: await streams(ofStreams, options) });
  if (sections.includes("first-event")) {
    found({ firstEvent: await firstEvents(ofStreams, options) });
  }
}

/** What the timed sections need of the targets. */
function timedTargets({ targets, modes, sections }: Options): Pick<Options, "targets" | "modes"> {
  const ofCalls = sections.includes("latency") || sections.includes("throughput");
  const ofStreams = sections.includes("sse") || sections.includes("first-event");
  return {
    targets: ofCalls ? targets : targets.filter((name) => name !== PROXY),
    modes: ofStreams ? modes : [],
  };
}

async function run(given: Options, cleanup: Cleanup): Promise<void> {
  const asked = given.targets.includes(PROXY) ? given.modes : [];
  const available = await availableModes(asked, cleanup);
  const options = { ...given, modes: available.modes };
  const timedCleanup = new Cleanup();
  await cleanup.add(() => timedCleanup.run());
  const timed = { ...options, ...timedTargets(options), streams: 0 };
  const { targets, skipped } = await startTargets(timed, timedCleanup);
  const memory = await memoryPlan(options);
  const facts = factsOf(given, [...skipped, ...available.skipped, ...memory.said]);
  facts.skipped.forEach(note);
  const watchdog = new Watchdog();
  await cleanup.add(() => watchdog.close());
  const bench = { targets, watchdog, random: seededRandom(options.seed), cleanup };
  let report: Report = { facts };
  const found = (more: Found) => void (report = { ...report, ...more });
  try {
    await timedSections(bench, options, found);
    await timedCleanup.run();
    await memorySections(bench, options, memory, found);
  } finally {
    // What was found before a section failed has taken minutes.
    if (options.json) print(JSON.stringify(report, null, 2));
    else reportLines(report).forEach(print);
  }
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
