/**
 * Records the fixtures: `deno task fixtures` writes those whose conversations go differently now,
 * and leaves the others as they are, so that a diff shows what changed and no new times.
 * `--check` writes nothing and shows the differences; `--filter TEXT` takes the cases whose
 * `<revision>/<name>` contains TEXT.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { readFixtures } from "../../fixtures/format/mod.ts";
import { Processes } from "../official_processes.ts";
import { STOP_SIGNALS } from "../servers/loopback.ts";
import { pathOf, type RecordCase } from "./case.ts";
import { CASES } from "./cases.ts";
import { type Outcome, recordAll, type RunOptions } from "./run.ts";

const FIXTURES = `${import.meta.dirname}/../../fixtures`;

function print(text: string): void {
  let rest = new TextEncoder().encode(`${text}\n`);
  while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

function show({ item, status, text }: Outcome): void {
  if (status === "same") return;
  print(`${status.toUpperCase()} ${pathOf(item)}`);
  if (text !== "") print(text.replace(/^/gm, "    "));
}

async function copyInto({ item }: Outcome, folder: string): Promise<void> {
  const to = `${FIXTURES}/${pathOf(item)}`;
  await Deno.mkdir(to, { recursive: true });
  for (const file of ["meta.json", "exchange.ndjson"]) {
    await Deno.copyFile(`${folder}/${pathOf(item)}/${file}`, `${to}/${file}`);
  }
}

/** Fixtures that no case records any more. */
async function leftOver(): Promise<string[]> {
  const known = new Set(CASES.map(pathOf));
  const found = await readFixtures(FIXTURES);
  return found.map(({ meta }) => pathOf(meta)).filter((path) => !known.has(path));
}

/** Records the cases and resolves with the exit code. */
async function run(
  cases: readonly RecordCase[],
  check: boolean,
  options: Pick<RunOptions, "processes" | "folder">,
): Promise<number> {
  const outcomes = await recordAll(cases, { ...options, committed: FIXTURES, onOutcome: show });
  const failed = outcomes.filter(({ status }) => status === "failed");
  const changed = outcomes.filter(({ status }) => status === "different" || status === "missing");
  if (!check) { for (const outcome of changed) await copyInto(outcome, options.folder); }
  for (const path of await leftOver()) print(`no case records ${path}`);
  const verb = check ? "differ" : "written";
  print(`${outcomes.length} recorded, ${changed.length} ${verb}, ${failed.length} failed`);
  return failed.length > 0 || (check && changed.length > 0) ? 1 : 0;
}

async function main(args: readonly string[]): Promise<number> {
  const flags = parseArgs(args, { string: ["filter"], boolean: ["check"] });
  const filter = typeof flags["filter"] === "string" ? flags["filter"] : "";
  const cases = CASES.filter((item) => pathOf(item).includes(filter));
  if (cases.length === 0) {
    print(`No case has ${JSON.stringify(filter)} in its name`);
    return 2;
  }
  const processes = new Processes();
  const folder = await Deno.makeTempDir({ prefix: "switchyard-fixtures-" });
  let ended: Promise<void> | undefined;
  const end = () => ended ??= cleanUp(processes, folder);
  const interrupted = () => void end().then(() => Deno.exit(130));
  for (const name of STOP_SIGNALS) Deno.addSignalListener(name, interrupted);
  try {
    return await run(cases, flags["check"] === true, { processes, folder });
  } finally {
    await end();
    for (const name of STOP_SIGNALS) Deno.removeSignalListener(name, interrupted);
  }
}

async function cleanUp(processes: Processes, folder: string): Promise<void> {
  await processes.close();
  await Deno.remove(folder, { recursive: true });
}

if (import.meta.main) Deno.exit(await main(Deno.args));
