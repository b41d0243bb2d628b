/**
 * `deno task conformance:peers`: the same suite against nginx, supergateway and mcp-proxy.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { Cleanup, cleanUpOnSignals } from "../../bench/cleanup.ts";
import { note } from "../../bench/print.ts";
import { withDeadline } from "../../bench/processes.ts";
import { latencyPlans } from "../latency/mod.ts";
import { assess, prettyReport, type SuiteRun } from "../report/mod.ts";
import {
  type Catalogue,
  loadCatalogue,
  runSuite,
  sectionOf,
  select,
  type SuiteOptions,
} from "../runner/mod.ts";
import {
  findPeers,
  type LeftOut,
  type Peer,
  PEER_NAMES,
  type PeerResult,
  resultsDocument,
} from "./mod.ts";

/** Where the document goes when all peers were asked for. */
const RESULTS_FILE = new URL("../RESULTS.md", import.meta.url);

/** Long enough for a gateway that starts a process for each session; much of what fails waits as long. */
const PATIENCE_MS = 2_000;

/** The longest that one target may take. */
const TARGET_DEADLINE_MS = 30 * 60_000;

const USAGE = `deno task conformance:peers [-- flags]
  --only LIST     of ${PEER_NAMES.join(",")} (all); then no document is written
  --filter TEXT   checks and cases with this in their id; then no document is written
  --no-latency    leaves out latency
  --write         writes conformance/RESULTS.md in any case`;

type Common = Omit<SuiteOptions, "source" | "catalogue">;

/** Runs the suite in sections, each before a fresh process, so that what breaks one spares the next. */
async function runInSections(
  { source }: Peer,
  catalogue: Catalogue,
  common: Common,
): Promise<SuiteRun> {
  const timed = { ...catalogue, cases: [] };
  const sections = Map.groupBy(catalogue.cases, (one) => sectionOf(one, catalogue));
  const functional = catalogue.checks.filter(({ group }) => group !== "latency");
  const runs: SuiteRun[] = [];
  for (const [section, cases] of sections) {
    note(`${source.name}: ${section}, ${cases.length} cases ...`);
    runs.push(await runSuite({ ...common, source, catalogue: { checks: functional, cases } }));
  }
  note(`${source.name}: latency ...`);
  const last = await runSuite({ ...common, source, catalogue: timed });
  return {
    ...last,
    durationMs: [...runs, last].reduce((sum, { durationMs }) => sum + durationMs, 0),
    results: [...runs, last].flatMap(({ results }) => results),
  };
}

async function judge(
  peers: readonly Peer[],
  catalogue: Catalogue,
  common: Common,
  onTarget: (results: readonly PeerResult[], leftOut: readonly LeftOut[]) => Promise<void>,
): Promise<readonly PeerResult[]> {
  const results: PeerResult[] = [];
  const leftOut: LeftOut[] = [];
  for (const peer of peers) {
    const { name } = peer.source;
    // What outlives its deadline is ended with everything it started.
    const own = new Cleanup();
    await common.cleanup.add(() => own.run());
    try {
      const work = runInSections(peer, catalogue, { ...common, cleanup: own });
      const assessment = assess(await withDeadline(work, TARGET_DEADLINE_MS, name));
      note(prettyReport(assessment));
      results.push({ peer, assessment });
    } catch (error) {
      leftOut.push({ name, why: (error as Error).message });
      note(`${name}: ${(error as Error).message}`);
    } finally {
      await own.run();
    }
    const rest = peers.slice(peers.indexOf(peer) + 1);
    const waiting = rest.map(({ source }) => ({
      name: source.name,
      why: "the run ended before it",
    }));
    await onTarget(results, [...leftOut, ...waiting]);
  }
  return results;
}

async function main(args: readonly string[]): Promise<number> {
  const flags = parseArgs(args.filter((arg) => arg !== "--"), {
    string: ["only", "filter"],
    boolean: ["no-latency", "write", "help"],
  });
  const only = typeof flags["only"] === "string" ? flags["only"].split(",") : PEER_NAMES;
  const wrong = only.filter((name) => !PEER_NAMES.some((peer) => peer === name));
  if (flags["help"] === true || wrong.length > 0) {
    note([...wrong.map((name) => `--only: there is no ${name}`), USAGE].join("\n"));
    return wrong.length > 0 ? 2 : 0;
  }
  const filter = typeof flags["filter"] === "string" ? flags["filter"] : "";
  const whole = only.length === PEER_NAMES.length && filter === "";
  const cleanup = new Cleanup();
  cleanUpOnSignals(cleanup);
  try {
    const latency = flags["no-latency"] !== true;
    const catalogue = select(await loadCatalogue(), { filter, latency });
    const found = await findPeers(only, cleanup);
    const common: Common = {
      expected: [],
      upstream: { hostname: "127.0.0.1", port: 0 },
      patienceMs: PATIENCE_MS,
      seed: 1,
      rounds: latencyPlans()[0]!.rounds,
      cleanup,
    };
    // After each target, so that a run that is ended keeps what it has.
    const results = await judge(found.peers, catalogue, common, async (done, leftOut) => {
      const document = resultsDocument(done, {
        date: new Date().toISOString(),
        platform: done[0]?.assessment.run.platform ?? "",
        command: "deno task conformance:peers",
        patienceMs: PATIENCE_MS,
        leftOut: [...found.leftOut, ...leftOut],
      });
      if (whole || flags["write"] === true) await Deno.writeTextFile(RESULTS_FILE, document);
      else note(document);
    });
    return results.length > 0 ? 0 : 1;
  } finally {
    await cleanup.run();
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
