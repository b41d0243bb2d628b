/**
 * A seeded fuzzer of the readers of answers and requests: `deno task fuzz -- --seconds N [--seed S]`.
 *
 * It writes sound messages, damages most of them, and holds the readers to what `fuzz_oracle.ts` says.
 * A finding ends the run with exit code 1 and says how to see it again.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { type Case, seededRandom } from "./fuzz_cases.ts";
import { answers, Finding, READINGS, requests, type Target } from "./fuzz_oracle.ts";

/** What came of a run. */
export interface Tally {
  /** Cases tried; each is read three times. */
  cases: number;
  /** Of these, those that were refused. */
  errors: number;
  /** Those that were not: whole messages, and ones that end too early. */
  accepted: number;
}

/** A run. */
export interface FuzzOptions {
  /** Case n is drawn from the seed plus n, so that a finding's own seed shows it at once. */
  readonly seed: number;
  /** What is fuzzed, each about as often. */
  readonly targets: readonly Target[];
  /** Whether to try another case; asked before each. */
  readonly goOn: (tally: Readonly<Tally>) => boolean;
  /** Milliseconds of processor time, for the bound on a case: a machine may have others to serve. */
  readonly now: () => number;
}

/** Longest that a case may take, twice in a row, in ms of processor time; the largest take some 60. */
const SLOW_MS = 1_000;
const PROGRESS_MS = 5_000;

/**
 * Tries case after case.
 *
 * @throws {Finding} at the first broken promise.
 */
export function fuzz(options: FuzzOptions): Tally {
  const tally: Tally = { cases: 0, errors: 0, accepted: 0 };
  while (options.goOn(tally)) {
    const seed = (options.seed + tally.cases) >>> 0;
    const random = seededRandom(seed);
    const which = options.targets.length === 1 ? 0 : random() * options.targets.length;
    const target = options.targets[Math.floor(which)]!;
    const tried = target.caseOf(random);
    try {
      const refused = checkInTime(tried, target, options.now);
      tally.cases++;
      tally[refused ? "errors" : "accepted"]++;
    } catch (error) {
      throw new Finding(`${error}\n${describe(tried, seed)}`, { cause: error });
    }
  }
  return tally;
}

/** Checks again what was slow, since the machine may have been. */
function checkInTime(tried: Case, target: Target, now: () => number): boolean {
  for (let attempt = 0; attempt < 2; attempt++) {
    const start = now();
    const refused = target.check(tried);
    if (now() - start < SLOW_MS) return refused;
  }
  throw new Finding(`reading took longer than ${SLOW_MS} ms`);
}

function describe({ method, bytes, splits }: Case, seed: number): string {
  return `seed ${seed}, method ${method}, splits ${JSON.stringify(splits)}, base64:\n` +
    bytes.toBase64();
}

function print(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  let written = 0;
  while (written < bytes.length) written += Deno.stdout.writeSync(bytes.subarray(written));
}

function number(text: unknown): number | undefined {
  return typeof text === "string" && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** What this process has had of the processors, in ms. */
function spentMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function main(): number {
  const flags = parseArgs(Deno.args.filter((arg) => arg !== "--"), { string: ["seconds", "seed"] });
  const seconds = number(flags["seconds"]);
  const seed = flags["seed"] === undefined
    ? crypto.getRandomValues(new Uint32Array(1))[0]
    : number(flags["seed"]);
  if (seconds === undefined || seed === undefined) {
    print("usage: deno task fuzz -- --seconds N [--seed S]");
    return 2;
  }
  const now = () => performance.now();
  const start = now();
  let nextLine = PROGRESS_MS;
  const line = ({ cases, errors, accepted }: Readonly<Tally>) => {
    const spent = (now() - start) / 1_000;
    return `seed ${seed}, ${spent.toFixed(1)} s, ${cases} cases: ${errors} refused, ` +
      `${accepted} accepted; ${Math.round(READINGS * cases / spent)} executions/s`;
  };
  const goOn = (tally: Readonly<Tally>) => {
    const spent = now() - start;
    if (spent >= nextLine) {
      nextLine += PROGRESS_MS;
      print(line(tally));
    }
    return spent < seconds * 1_000;
  };
  try {
    print(
      `done: ${
        line(fuzz({ seed, targets: [answers(), requests()], goOn, now: spentMs }))
      }, no finding`,
    );
    return 0;
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    print(`finding: ${error.message}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(main());
