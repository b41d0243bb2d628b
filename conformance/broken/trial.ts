/**
 * Tries broken proxies: which checks each of them fails.
 *
 * @module
 */

import { MockUpstream } from "../mock/mod.ts";
import { OWN_ASSUMPTIONS, type OwnSettings, PASSING_BYTES, startOwnProxy } from "../own_proxy.ts";
import { type Assumption, type Case, type Group, runCase, type RunOptions } from "../suite/mod.ts";
import type { BrokenProxy } from "./broken_proxy.ts";
import type { Sides } from "./damage.ts";
import { Sandwich } from "./sandwich.ts";

/**
 * How long a check of a broken proxy waits for what does not come, in ms. What the sound proxy does to keep
 * streams alive comes later than this and the next.
 */
const PATIENCE_MS = 800;

/** The same where the checks have to wait for timeouts of one second. */
const TIMEOUT_PATIENCE_MS = 1_600;

/** The same where a check that ought to hold, or to fail, is made again, because the machine may be busy. */
const SECOND_PATIENCE_MS = 5_000;

/** How often it is made again: a machine that stands still for a second may do so once more. */
const MORE_TIMES = 3;

/** What a proxy is set up with: see `BrokenProxy`. */
export type Setup = Pick<BrokenProxy, "needsTimeouts" | "withEventLog">;

/** What the sound proxy is set up with, beside what the suite assumes. */
function settingsFor({ withEventLog = false }: Setup): OwnSettings {
  return withEventLog ? {} : PASSING_BYTES;
}

function assumedOf({ needsTimeouts = false, withEventLog = false }: Setup): Assumption[] {
  const made: Partial<Record<Assumption, boolean>> = {
    "short-timeouts": needsTimeouts,
    "resumes-streams": withEventLog,
  };
  return OWN_ASSUMPTIONS.filter((name) => made[name] ?? true);
}

/**
 * Checks that measure the sockets beside the proxy: there are more of them in a sandwich. They are
 * made only where they are to fail.
 */
const MEASURES_SOCKETS: ReadonlySet<string> = new Set([
  "streaming.unread-stream-holds-the-server-back",
]);

/** What came of one broken proxy. */
export interface Trial {
  readonly proxy: BrokenProxy;
  /** The checks that failed, with the reasons. */
  readonly failed: ReadonlyMap<string, string>;
  readonly durationMs: number;
}

/** What is tried, and with what. */
export interface TrialPlan {
  readonly proxies: readonly BrokenProxy[];
  readonly cases: readonly Case[];
  /** The group of each check. */
  readonly groupOf: ReadonlyMap<string, Group>;
  /**
   * Beside those that a proxy is to fail, every so many-th case of its own group is made, and of the
   * other groups: others for each proxy.
   */
  readonly ownStride: number;
  readonly stride: number;
  /** How many proxies are tried at the same time. */
  readonly lanes: number;
  /** The checks that the sound proxy itself fails. */
  readonly knownFailures: ReadonlySet<string>;
}

/** Tries all proxies of a plan. */
export async function tryAll(plan: TrialPlan): Promise<readonly Trial[]> {
  const trials: Trial[] = [];
  const waiting = [false, true].map((withEventLog) => ({
    withEventLog,
    proxies: [...plan.proxies.entries()].filter(([, proxy]) =>
      (proxy.withEventLog ?? false) === withEventLog
    ),
  }));
  const lane = async () => {
    for (const { withEventLog, proxies } of waiting) {
      if (proxies.length === 0) continue;
      await using sandwich = await Sandwich.start(settingsFor({ withEventLog }));
      for (let next = proxies.shift(); next !== undefined; next = proxies.shift()) {
        trials.push(await tryOne(plan, sandwich, ...next));
      }
    }
  };
  await Promise.all(Array.from({ length: plan.lanes }, lane));
  return trials;
}

async function tryOne(
  plan: TrialPlan,
  sandwich: Sandwich,
  index: number,
  proxy: BrokenProxy,
): Promise<Trial> {
  const startedMs = performance.now();
  const failed = new Map<string, string>();
  await sandwich.use(proxy.make());
  const isOwn = (check: string) => plan.groupOf.get(check) === proxy.group;
  const chosen = plan.cases.filter((one, at) => {
    const stride = one.checks.some(isOwn) ? plan.ownStride : plan.stride;
    return one.checks.some((id) => proxy.breaks.includes(id)) || at % stride === index % stride;
  });
  for (const one of chosen) {
    if (one.checks.some((id) => MEASURES_SOCKETS.has(id) && !proxy.breaks.includes(id))) continue;
    let failures = await failuresOf(sandwich, one, proxy);
    const isForeign = (id: string) => !isOwn(id) && !plan.knownFailures.has(id);
    const isUnseen = (id: string) =>
      proxy.breaks.includes(id) && !failures.has(id) && !plan.knownFailures.has(id);
    const isOdd = () => [...failures.keys()].some(isForeign) || one.checks.some(isUnseen);
    for (let again = 0; again < MORE_TIMES && isOdd(); again++) {
      await sandwich.use(proxy.make());
      failures = await failuresOf(sandwich, one, proxy, SECOND_PATIENCE_MS);
    }
    for (const [id, message] of failures) {
      if (!plan.knownFailures.has(id)) failed.set(id, message);
    }
  }
  for (const problem of sandwich.takeProblems()) failed.set("(broken in itself)", problem);
  return { proxy, failed, durationMs: performance.now() - startedMs };
}

/** Where cases are run. */
type Stage = Pick<RunOptions, "target" | "mock">;

async function failuresOf(
  { target, mock }: Stage,
  one: Case,
  setup: Setup,
  patienceMs = setup.needsTimeouts ? TIMEOUT_PATIENCE_MS : PATIENCE_MS,
): Promise<ReadonlyMap<string, string>> {
  const assume = assumedOf(setup);
  const { verdicts } = await runCase(one, { target, mock, patienceMs, assume });
  return new Map(
    verdicts.filter(({ status }) => status === "fail")
      .map(({ check, message = "" }) => [check, message]),
  );
}

/** The checks that the sound proxy fails, between relays that do this. */
export async function failuresBetween(
  cases: readonly Case[],
  sides: Sides,
  setup: Setup = {},
): Promise<ReadonlyMap<string, string>> {
  await using sandwich = await Sandwich.start(settingsFor(setup));
  await sandwich.use(sides);
  const failed = await failuresOfSound(sandwich, cases, setup);
  for (const problem of sandwich.takeProblems()) failed.set("(broken in itself)", problem);
  return failed;
}

/** The checks that the sound proxy fails by itself. */
export async function failuresWithoutRelays(
  cases: readonly Case[],
  setup: Setup = {},
): Promise<ReadonlyMap<string, string>> {
  await using mock = await MockUpstream.listen();
  await using proxy = await startOwnProxy(`http://${mock.host}/mcp`, settingsFor(setup));
  return await failuresOfSound({ target: proxy.target, mock }, cases, setup);
}

async function failuresOfSound(
  stage: Stage,
  cases: readonly Case[],
  setup: Setup,
): Promise<Map<string, string>> {
  const failed = new Map<string, string>();
  for (const one of cases) {
    if (one.checks.some((id) => MEASURES_SOCKETS.has(id))) continue;
    let failures = await failuresOf(stage, one, setup, TIMEOUT_PATIENCE_MS);
    for (let again = 0; again < MORE_TIMES && failures.size > 0; again++) {
      failures = await failuresOf(stage, one, setup, SECOND_PATIENCE_MS);
    }
    for (const [id, message] of failures) failed.set(id, message);
  }
  return failed;
}
