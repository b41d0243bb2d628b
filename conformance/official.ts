/**
 * Runs the official conformance suite twice for each server, directly and through the proxy, and
 * shows what came out differently. What a server does not pass directly is not the proxy's doing;
 * what it passes directly and not through the proxy is. Between the eras there is nothing direct: there the
 * suite runs through the proxy alone, and `expected/official.json` lists what does not pass, and why.
 *
 * Run it with `deno task conformance:official`. Flags: `--revision 2025-11-25` and
 * `--scenario NAME` narrow the run, `--json` prints everything as JSON.
 */
import { parseArgs } from "@std/cli/parse-args";
import {
  type CheckResult,
  collectResults,
  countResults,
  type Counts,
  type Difference,
  diffResults,
  parseChecks,
  scenarioOfDirectory,
} from "./official_results.ts";
import { runAuth, runCredentials } from "./official_auth.ts";
import { expectedOf, parseAcross, type Surprise, surprisesOf } from "./official_across.ts";
import { freePort } from "./free_port.ts";
import { portOpen, Processes } from "./official_processes.ts";
import { STOP_SIGNALS } from "./servers/loopback.ts";
import { startModernServer } from "./servers/modern.ts";
import { startSessionServer } from "./servers/session.ts";

const SUITE = "npm:@modelcontextprotocol/conformance";
const STABLE = "0.1.16";
const NEXT = "0.2.0-alpha.12";
const REFERENCE_SERVER = "npm:@modelcontextprotocol/server-everything@2026.8.31";

/** Long enough for a suite whose every scenario waits for its own time limit. */
const SUITE_DEADLINE_MS = 600_000;

/** Long enough for a first start, which downloads packages. */
const START_DEADLINE_MS = 120_000;

const ROOT = new URL("..", import.meta.url);

/** A server under test, and its end. */
interface Upstream {
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** One suite at one protocol revision against one server. */
interface Plan {
  readonly server: keyof typeof SERVERS | keyof typeof PLAYED;
  readonly suite: string;
  readonly revision: string;
  /** Set where the server does not speak this revision, but the proxy in front of it does. */
  readonly across?: true;
}

/** What a plan came to. */
interface Report extends Plan {
  /** Empty where the plan is across eras. */
  readonly direct: readonly CheckResult[];
  readonly proxied: readonly CheckResult[];
  readonly differences: readonly Difference[];
  /** What the list of known failures did not say; empty unless the plan is across eras. */
  readonly surprises: readonly Surprise[];
}

/** What one run of this program needs everywhere. */
interface Context {
  readonly processes: Processes;
  /** An empty directory that is removed at the end. */
  readonly directory: string;
  readonly scenario: string | undefined;
}

/** Servers that the suite plays itself: where a person authorises, and where the client has credentials of its own. */
const PLAYED = { auth: runAuth, credentials: runCredentials };

const SERVERS = {
  session: () => Promise.resolve(startSessionServer()),
  modern: () => Promise.resolve(startModernServer()),
  everything: startReferenceServer,
} satisfies Record<string, (context: Context) => Promise<Upstream>>;

const PLANS: readonly Plan[] = [
  { server: "session", suite: STABLE, revision: "2025-11-25" },
  { server: "session", suite: NEXT, revision: "2025-11-25" },
  { server: "session", suite: NEXT, revision: "2025-06-18" },
  { server: "everything", suite: STABLE, revision: "2025-11-25" },
  { server: "modern", suite: NEXT, revision: "2026-07-28" },
  { server: "auth", suite: NEXT, revision: "2025-11-25" },
  { server: "auth", suite: NEXT, revision: "2026-07-28" },
  { server: "credentials", suite: NEXT, revision: "2025-11-25" },
  { server: "credentials", suite: NEXT, revision: "2026-07-28" },
  { server: "session", suite: NEXT, revision: "2026-07-28", across: true },
  { server: "modern", suite: NEXT, revision: "2025-11-25", across: true },
];

const EXPECTED = new URL("expected/official.json", import.meta.url);

async function startReferenceServer({ processes, directory }: Context): Promise<Upstream> {
  const port = freePort();
  const process = processes.start({
    args: ["run", "--no-config", "--no-lock", "-A", REFERENCE_SERVER, "streamableHttp"],
    cwd: directory,
    env: { PORT: String(port) },
  });
  await processes.ready(process, START_DEADLINE_MS, () => portOpen(port));
  return { url: `http://127.0.0.1:${port}/mcp`, close: () => processes.stop(process) };
}

/** Starts this repository's proxy, as its users do, in front of `upstream`. */
async function startProxy({ processes }: Context, upstream: string): Promise<Upstream> {
  const process = processes.start({
    args: ["run", "-P", "main.ts", "serve"].concat(
      ["--listen", "127.0.0.1:0", "--upstream", upstream, "--log-level", "error"],
    ),
    cwd: ROOT,
  });
  const url = await processes.ready(
    process,
    START_DEADLINE_MS,
    () => /^listening (http:\/\/127\.0\.0\.1:\d+\/mcp)$/m.exec(process.stdout())?.[1],
  );
  return { url, close: () => processes.stop(process) };
}

/** Runs the suite against one URL and reads what it wrote. */
async function runSuite(context: Context, plan: Plan, url: string): Promise<CheckResult[]> {
  const { processes, directory, scenario } = context;
  const output = await Deno.makeTempDir({ dir: directory });
  const selection = scenario === undefined ? ["--suite", "all"] : ["--scenario", scenario];
  const process = processes.start({
    args: ["run", "--no-config", "--no-lock", "-A", `${SUITE}@${plan.suite}`, "server"].concat(
      ["--url", url, "--spec-version", plan.revision, "-o", output],
      selection,
    ),
    cwd: directory,
  });
  await processes.finish(process, SUITE_DEADLINE_MS);
  const checks = new Map<string, CheckResult[]>();
  for await (const entry of Deno.readDir(output)) {
    const name = scenarioOfDirectory(entry.name);
    const json = name && await readIfThere(`${output}/${entry.name}/checks.json`);
    if (json) checks.set(name, parseChecks(name, json));
  }
  const results = collectResults(process.stdout(), checks);
  // A scenario that this suite does not have, or not at this revision, is no failed run.
  if (results.length === 0 && scenario === undefined) {
    throw new Error(`the suite left no results\n${process.stdout()}${process.stderr()}`);
  }
  return results;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function runPlan(context: Context, plan: Plan): Promise<Report> {
  if (plan.server === "auth" || plan.server === "credentials") {
    return await runPlayed(context, plan, PLAYED[plan.server]);
  }
  const upstream = await SERVERS[plan.server](context);
  try {
    if (plan.across) return await runAcross(context, plan, upstream);
    const direct = await runSuite(context, plan, upstream.url);
    const proxied = direct.length === 0 ? [] : await runProxied(context, plan, upstream);
    return { ...plan, direct, proxied, differences: diffResults(direct, proxied), surprises: [] };
  } finally {
    await upstream.close();
  }
}

async function runPlayed(context: Context, plan: Plan, run: typeof runAuth): Promise<Report> {
  const suite = `${SUITE}@${plan.suite}`;
  const direct = await run(context, suite, plan.revision, false);
  const proxied = direct.length === 0 ? [] : await run(context, suite, plan.revision, true);
  return { ...plan, direct, proxied, differences: diffResults(direct, proxied), surprises: [] };
}

async function runProxied(
  context: Context,
  plan: Plan,
  upstream: Upstream,
): Promise<CheckResult[]> {
  const proxy = await startProxy(context, upstream.url);
  try {
    return await runSuite(context, plan, proxy.url);
  } finally {
    await proxy.close();
  }
}

async function runAcross(context: Context, plan: Plan, upstream: Upstream): Promise<Report> {
  const expected = expectedOf(parseAcross(await Deno.readTextFile(EXPECTED)), plan);
  const proxied = await runProxied(context, plan, upstream);
  const surprises = proxied.length === 0 ? [] : surprisesOf(proxied, expected, context.scenario);
  return { ...plan, direct: [], proxied, differences: [], surprises };
}

function print(line: string): void {
  let rest = new TextEncoder().encode(`${line}\n`);
  while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

const TITLES: Readonly<Record<string, string>> = {
  auth: "authorization of clients",
  credentials: "credentials of clients, or of the proxy for those without",
};

function title({ server, suite, revision, across }: Plan): string {
  const what = TITLES[server] ?? server;
  return `${what}, conformance ${suite} at ${revision}${across ? ", across eras" : ""}`;
}

function countLine({ scenariosPassed, scenarios, checksPassed, checks }: Counts): string {
  return `${scenariosPassed}/${scenarios} scenarios, ${checksPassed}/${checks} checks`;
}

function hasRun({ proxied }: Report): boolean {
  return proxied.length > 0;
}

function isGood({ differences, surprises }: Report): boolean {
  return differences.length === 0 && surprises.length === 0;
}

function printReport(report: Report): void {
  print(title(report));
  if (!hasRun(report)) return print("  not in this suite at this revision");
  if (!report.across) print(`  direct   ${countLine(countResults(report.direct))}`);
  print(`  proxied  ${countLine(countResults(report.proxied))}`);
  if (isGood(report)) return print(report.across ? "  as expected" : "  no difference");
  for (const { kind, scenario, checkId, told } of report.surprises) {
    print(`  ${kind.toUpperCase()} ${scenario} ${checkId}: ${told}`);
  }
  for (const { scenario, checkId, direct, proxied } of report.differences) {
    print(`  DIFFERENT ${scenario} ${checkId}: direct ${direct}, proxied ${proxied}`);
  }
}

/** Runs the plans one after another; returns false if one differs, broke off or did not run. */
async function runPlans(
  context: Context,
  plans: readonly Plan[],
  json: boolean,
): Promise<boolean> {
  const reports: Report[] = [];
  const errors: { plan: string; error: string }[] = [];
  for (const plan of plans) {
    try {
      const report = await runPlan(context, plan);
      reports.push(report);
      if (!json) printReport(report);
    } catch (error) {
      const failure = { plan: title(plan), error: String(error) };
      errors.push(failure);
      if (!json) print(`${failure.plan}\n  FAILED ${failure.error}`);
    }
  }
  if (json) print(JSON.stringify({ reports: reports.map(withCounts), errors }, null, 2));
  return reports.some(hasRun) && errors.length === 0 && reports.every(isGood);
}

function withCounts(report: Report): Report & { counts: { direct: Counts; proxied: Counts } } {
  const counts = { direct: countResults(report.direct), proxied: countResults(report.proxied) };
  return { ...report, counts };
}

async function main(args: readonly string[]): Promise<number> {
  const flags = parseArgs(args, { string: ["revision", "scenario"], boolean: ["json"] });
  const revision = textOf(flags["revision"]);
  const plans = PLANS.filter((plan) => revision === undefined || plan.revision === revision);
  if (plans.length === 0) {
    const revisions = new Set(PLANS.map((plan) => plan.revision));
    print(`No suite for revision ${revision}; there is ${[...revisions].join(", ")}`);
    return 2;
  }
  const processes = new Processes();
  const directory = await Deno.makeTempDir({ prefix: "switchyard-conformance-" });
  let ended: Promise<void> | undefined;
  const end = () => ended ??= cleanUp(processes, directory);
  const interrupted = () => void end().then(() => Deno.exit(130));
  for (const name of STOP_SIGNALS) Deno.addSignalListener(name, interrupted);
  try {
    const context = { processes, directory, scenario: textOf(flags["scenario"]) };
    return await runPlans(context, plans, flags["json"] === true) ? 0 : 1;
  } finally {
    await end();
    for (const name of STOP_SIGNALS) Deno.removeSignalListener(name, interrupted);
  }
}

async function cleanUp(processes: Processes, directory: string): Promise<void> {
  await processes.close();
  await Deno.remove(directory, { recursive: true });
}

function textOf(flag: unknown): string | undefined {
  return typeof flag === "string" && flag !== "" ? flag : undefined;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
