/**
 * From arguments to an exit code.
 *
 * @module
 */

import { closestString } from "@std/text/closest-string";
import { Cleanup, cleanUpOnSignals } from "../../bench/cleanup.ts";
import {
  type ExpectedFailure,
  ExpectedFailuresError,
  parseExpected,
  unknownIds,
} from "../expected/mod.ts";
import {
  assess,
  type Assessment,
  jsonText,
  junitReport,
  markdownReport,
  prettyReport,
} from "../report/mod.ts";
import {
  type Catalogue,
  foreignSource,
  loadCatalogue,
  OWN_SOURCE,
  runSuite,
  select,
  type SuiteOptions,
  TargetError,
  type TargetSource,
} from "../runner/mod.ts";
import { type ReportFormat, usage } from "./flags.ts";
import { listLines } from "./list.ts";
import { type Options, readCommandLine } from "./options.ts";
import { type Progress, progressOn } from "./progress.ts";

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

/** The expected failures of this repository's proxy. */
export const OWN_EXPECTED_FILE = new URL("../expected/switchyard.json", import.meta.url);

const REPORTS: Readonly<Record<ReportFormat, (assessment: Assessment) => string>> = {
  pretty: prettyReport,
  junit: junitReport,
  json: jsonText,
  markdown: markdownReport,
};

/** Runs the command and resolves with its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const line = readCommandLine(args);
  if (line.kind === "help") return say(Deno.stdout, usage(), EXIT_OK);
  if (line.kind === "problems") {
    return say(Deno.stderr, `${line.problems.join("\n")}\n--help names the flags`, EXIT_USAGE);
  }
  const whole = await loadCatalogue({ timeScale: line.pace / 100 });
  const catalogue = select(whole, line.selection);
  if (catalogue.checks.length === 0) {
    return say(Deno.stderr, nothingMatches(line, whole), EXIT_USAGE);
  }
  if (line.kind === "list") return say(Deno.stdout, listLines(catalogue).join("\n"), EXIT_OK);
  let expected: readonly ExpectedFailure[];
  try {
    expected = await readExpected(line, whole);
  } catch (error) {
    if (!(error instanceof ExpectedFailuresError)) throw error;
    return say(Deno.stderr, error.message, EXIT_USAGE);
  }
  const problem = await makeReportFiles(line);
  if (problem !== undefined) return say(Deno.stderr, problem, EXIT_USAGE);
  return await run(line, catalogue, expected);
}

function nothingMatches({ selection: { filter } }: Options, { checks, cases }: Catalogue): string {
  const ids = [...checks, ...cases].map(({ id }) => id);
  const near = filter === undefined ? "" : `; did you mean --filter ${closestString(filter, ids)}`;
  return `no check and no case is what the flags ask for${near}; --list names them all`;
}

/** Makes the files of reports, so that one that cannot be written is known before the run. */
async function makeReportFiles({ reports }: Options): Promise<string | undefined> {
  for (const { file } of reports) {
    if (file === undefined) continue;
    try {
      const folder = /^(.*)[/\\]/.exec(file)?.[1] ?? "";
      if (folder !== "") await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(file, "");
    } catch (error) {
      return `--report: ${file} cannot be written: ${(error as Error).message}`;
    }
  }
  return undefined;
}

async function run(
  options: Options,
  catalogue: Catalogue,
  expected: readonly ExpectedFailure[],
): Promise<number> {
  const cleanup = new Cleanup();
  cleanUpOnSignals(cleanup);
  const progress = progressOn({
    isTerminal: Deno.stderr.isTerminal(),
    columns: terminalColumns,
    write: (text) => write(Deno.stderr, text),
  });
  try {
    const { upstream, patienceMs, seed, rounds } = options;
    const source = sourceOf(options);
    const found = await runSuite({
      ...{ source, catalogue, expected, upstream, patienceMs, seed, rounds, cleanup },
      ...watching(progress),
    });
    progress.end();
    if (cleanup.begun) return EXIT_INTERRUPTED;
    const assessment = assess(found);
    for (const report of options.reports) {
      const text = REPORTS[report.format](assessment);
      if (report.file === undefined) write(Deno.stdout, text);
      else await Deno.writeTextFile(report.file, text);
    }
    return assessment.ok ? EXIT_OK : EXIT_FAILED;
  } catch (error) {
    progress.end();
    if (cleanup.begun) return EXIT_INTERRUPTED;
    if (!(error instanceof TargetError)) throw error;
    return say(Deno.stderr, error.message, EXIT_FAILED);
  } finally {
    await cleanup.run();
  }
}

/** The width of the terminal, where it tells. */
function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}

function watching(progress: Progress): Required<Pick<SuiteOptions, "onResult" | "onPhase">> {
  return { onResult: progress.result, onPhase: progress.phase };
}

/** The proxy that the flags name. */
function sourceOf({ target, assume = [], targetFlags }: Options): TargetSource {
  const command = [
    OWN_SOURCE.command,
    ...(targetFlags.length === 0 ? [] : ["--", ...targetFlags.map(quoted)]),
  ].join(" ");
  if (target === undefined) return { ...OWN_SOURCE, command };
  return foreignSource({ target, assume, command });
}

function quoted(word: string): string {
  return /^[\w./:@=,+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The expected failures that the flags name, or those of this repository's own proxy. */
async function readExpected(
  { expectedFile, target }: Options,
  { checks, cases }: Catalogue,
): Promise<readonly ExpectedFailure[]> {
  if (expectedFile === undefined && target !== undefined) return [];
  const file = expectedFile ?? OWN_EXPECTED_FILE;
  const name = expectedFile ?? "conformance/expected/switchyard.json";
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    throw new ExpectedFailuresError(name, [(error as Error).message]);
  }
  const expected = parseExpected(name, text);
  const ids = (of: readonly { readonly id: string }[]) => of.map(({ id }) => id);
  const problems = unknownIds(expected, { checks: ids(checks), cases: ids(cases) });
  if (problems.length > 0) throw new ExpectedFailuresError(name, problems);
  return expected.failures;
}

function say(to: typeof Deno.stdout | typeof Deno.stderr, text: string, code: number): number {
  write(to, `${text}\n`);
  return code;
}

const encoder = new TextEncoder();

function write(to: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}
