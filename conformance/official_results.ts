/**
 * What a run of the official suite yields, and how two runs differ. No processes and no files
 * here: texts go in, tables come out.
 */

/** The outcome of one check, in the suite's own words. */
export type CheckStatus = "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";

/** One check of one scenario. */
export interface CheckResult {
  readonly scenario: string;
  /** The suite's id and name of the check, numbered where a scenario repeats a pair. */
  readonly checkId: string;
  readonly status: CheckStatus;
}

/** A check's status on one side; a scenario as a whole is there or not. */
export type Outcome = CheckStatus | "missing" | "present";

/** One check that came out differently through the proxy. */
export interface Difference {
  readonly scenario: string;
  readonly checkId: string;
  readonly direct: Outcome;
  readonly proxied: Outcome;
}

/** How many scenarios and checks passed. */
export interface Counts {
  readonly scenariosPassed: number;
  readonly scenarios: number;
  readonly checksPassed: number;
  readonly checks: number;
}

/** The checkId of a row that stands for a scenario as a whole. */
export const WHOLE_SCENARIO = "(scenario)";

/**
 * The scenarios a reverse proxy answers itself: it refuses a foreign Host or Origin before the
 * upstream sees it, and sets its own Host towards the upstream. What counts there is that the
 * proxied server passes, not that it does what the bare one does, which may well be unprotected.
 */
const ANSWERED_BY_PROXY: ReadonlySet<string> = new Set(["dns-rebinding-protection"]);

/**
 * The checks that the proxy itself sees to, where they are made at all: it primes the streams of sessions,
 * whether the server behind it does or not.
 */
const DONE_BY_PROXY: ReadonlySet<string> = new Set([
  "server-sse-priming-event/ServerSendsPrimingEvent",
]);

/**
 * The checks that hold a client to the address of the suite's own server as the resource of its tokens. Through the
 * proxy the resource is the proxy's address, which is what its clients dial (RFC 8707, RFC 9728 section 3.3).
 */
const OF_THE_ADDRESS = /^resource-parameter-matches-prm(\/|$)/;

const STATUSES: ReadonlySet<string> = new Set([
  "SUCCESS",
  "FAILURE",
  "WARNING",
  "SKIPPED",
  "INFO",
]);

/**
 * Reads one `checks.json`.
 *
 * Rows of status INFO are left out: they log single requests and events, whose number is not part
 * of the outcome. A check that is INFO on one side only still shows, as missing.
 *
 * @throws {TypeError} if the text is not a list of checks
 */
export function parseChecks(scenario: string, json: string): CheckResult[] {
  const rows: unknown = JSON.parse(json);
  if (!Array.isArray(rows)) throw new TypeError(`checks.json of ${scenario} is not a list`);
  const seen = new Map<string, number>();
  const results: CheckResult[] = [];
  for (const row of rows) {
    const { label, status } = readRow(scenario, row);
    if (status === "INFO") continue;
    const count = (seen.get(label) ?? 0) + 1;
    seen.set(label, count);
    results.push({ scenario, checkId: count === 1 ? label : `${label} #${count}`, status });
  }
  return results;
}

function readRow(scenario: string, row: unknown): { label: string; status: CheckStatus } {
  const { id, name, status } = (row ?? {}) as Record<string, unknown>;
  if (typeof id !== "string" || !isStatus(status)) {
    throw new TypeError(`checks.json of ${scenario} has a row without an id or a known status`);
  }
  return { label: typeof name === "string" ? `${id}/${name}` : id, status };
}

function isStatus(value: unknown): value is CheckStatus {
  return typeof value === "string" && STATUSES.has(value);
}

/** The scenario a result directory belongs to, such as `server-ping-2026-01-02T03-04-05-006Z`. */
export function scenarioOfDirectory(name: string): string | undefined {
  return /^server-(.+)-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z$/.exec(name)?.[1];
}

/** The scenarios named in the summary at the end of the suite's output; empty without a summary. */
export function scenariosOfSummary(stdout: string): string[] {
  const [, summary] = stdout.split("=== SUMMARY ===");
  if (summary === undefined) return [];
  // A later part repeats some of the scenarios as not scored, indented.
  return [...summary.matchAll(/^[✓✗] (\S+): \d+ passed/gm)].map(([, name]) => String(name));
}

/**
 * The outcome of a run, from its output and its checks by scenario. A scenario that is in the
 * summary but left no checks broke off, and counts as failed.
 */
export function collectResults(
  stdout: string,
  checks: ReadonlyMap<string, readonly CheckResult[]>,
): CheckResult[] {
  const results = [...checks.values()].flat();
  for (const scenario of scenariosOfSummary(stdout)) {
    if (checks.has(scenario)) continue;
    results.push({ scenario, checkId: WHOLE_SCENARIO, status: "FAILURE" });
  }
  return results;
}

/** Counts what passed. A scenario passes as in the suite itself: none of its checks failed. */
export function countResults(results: readonly CheckResult[]): Counts {
  const scenarios = new Map<string, boolean>();
  for (const { scenario, status } of results) {
    scenarios.set(scenario, (scenarios.get(scenario) ?? true) && status !== "FAILURE");
  }
  const checks = results.filter(({ status }) => status !== "SKIPPED");
  return {
    scenariosPassed: [...scenarios.values()].filter((passed) => passed).length,
    scenarios: scenarios.size,
    checksPassed: checks.filter(({ status }) => status === "SUCCESS").length,
    checks: checks.length,
  };
}

/** Everything that came out differently; empty if the proxy changed nothing. */
export function diffResults(
  direct: readonly CheckResult[],
  proxied: readonly CheckResult[],
): Difference[] {
  const left = byScenario(direct);
  const right = byScenario(proxied);
  const scenarios = new Set([...left.keys(), ...right.keys()]);
  return [...scenarios].flatMap((scenario) =>
    diffScenario(scenario, left.get(scenario), right.get(scenario))
  );
}

type StatusByCheck = ReadonlyMap<string, CheckStatus>;

function byScenario(results: readonly CheckResult[]): Map<string, Map<string, CheckStatus>> {
  const scenarios = new Map<string, Map<string, CheckStatus>>();
  for (const { scenario, checkId, status } of results) {
    const checks = scenarios.get(scenario) ?? new Map<string, CheckStatus>();
    scenarios.set(scenario, checks.set(checkId, status));
  }
  return scenarios;
}

function diffScenario(
  scenario: string,
  direct: StatusByCheck | undefined,
  proxied: StatusByCheck | undefined,
): Difference[] {
  if (direct === undefined || proxied === undefined) {
    const presence = (side: StatusByCheck | undefined) =>
      side === undefined ? "missing" : "present";
    const sides = { direct: presence(direct), proxied: presence(proxied) } as const;
    return [{ scenario, checkId: WHOLE_SCENARIO, ...sides }];
  }
  const differences: Difference[] = [];
  for (const checkId of new Set([...direct.keys(), ...proxied.keys()])) {
    if (OF_THE_ADDRESS.test(checkId)) continue;
    const before = direct.get(checkId) ?? "missing";
    const after = proxied.get(checkId) ?? "missing";
    const byProxy = ANSWERED_BY_PROXY.has(scenario) || DONE_BY_PROXY.has(checkId);
    const expected = byProxy ? "SUCCESS" : before;
    if (after !== expected) differences.push({ scenario, checkId, direct: before, proxied: after });
  }
  return differences;
}
