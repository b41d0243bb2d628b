/**
 * Runs the scenarios of authorization of the official suite, which are for clients: the suite plays a server that wants
 * tokens and the authorization server, and the official client is led through the proxy or goes there itself.
 *
 * @module
 */

import { type CheckResult, parseChecks } from "./official_results.ts";
import type { Processes } from "./official_processes.ts";

/** What a run needs. */
export interface AuthContext {
  readonly processes: Processes;
  /** A directory for what the suite writes. */
  readonly directory: string;
  /** The one scenario to run; all where it is undefined. */
  readonly scenario: string | undefined;
}

const DEADLINE_MS = 300_000;
const FOLDER = "auth";
const CONFIG = new URL("../deno.json", import.meta.url).pathname;
const CLIENT = new URL("auth_client.ts", import.meta.url).pathname;
const CREDENTIALS_CLIENT = new URL("credentials_client.ts", import.meta.url).pathname;

/** The scenario a result directory in the folder of authorization belongs to. */
export function authScenarioOf(name: string): string | undefined {
  const found = /^(.+)-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z$/.exec(name)?.[1];
  return found && `${FOLDER}/${found}`;
}

/** Scenarios of an extension, which stand beside the revisions: clients with credentials of their own. */
const OF_CREDENTIALS = ["auth/client-credentials-basic", "auth/client-credentials-jwt"];

/** Runs the suite at one revision, through the proxy or without; what came out, nothing where it has no such scenario. */
export async function runAuth(
  context: AuthContext,
  suite: string,
  revision: string,
  through: boolean,
): Promise<CheckResult[]> {
  const { scenario } = context;
  if (scenario !== undefined && (!isOfAuth(scenario) || OF_CREDENTIALS.includes(scenario))) {
    return [];
  }
  const selection = scenario === undefined ? ["--suite", FOLDER] : ["--scenario", scenario];
  return await runSelected(context, selection, { suite, revision, through, client: CLIENT });
}

/** The same for the scenarios in which the client has credentials of its own, or the proxy has them for it. */
export async function runCredentials(
  context: AuthContext,
  suite: string,
  revision: string,
  through: boolean,
): Promise<CheckResult[]> {
  const { scenario } = context;
  const results: CheckResult[] = [];
  for (const one of OF_CREDENTIALS) {
    if (scenario !== undefined && scenario !== one) continue;
    const selection = ["--scenario", one, "--force"];
    const run = { suite, revision, through, client: CREDENTIALS_CLIENT };
    results.push(...await runSelected(context, selection, run));
  }
  return results;
}

function isOfAuth(scenario: string): boolean {
  return scenario.startsWith(`${FOLDER}/`);
}

/** How the suite is run. */
interface Run {
  readonly suite: string;
  readonly revision: string;
  readonly through: boolean;
  readonly client: string;
}

async function runSelected(
  { processes, directory }: AuthContext,
  selection: readonly string[],
  { suite, revision, through, client: program }: Run,
): Promise<CheckResult[]> {
  const output = await Deno.makeTempDir({ dir: directory });
  const client = [Deno.execPath(), "run", "-A", "--no-check", "--config", CONFIG, program];
  if (through) client.push("--through");
  const process = processes.start({
    args: ["run", "--no-config", "--no-lock", "-A", suite, "client"].concat(
      ["--command", client.join(" "), "--spec-version", revision, "-o", output],
      selection,
    ),
    cwd: directory,
  });
  await processes.finish(process, DEADLINE_MS);
  const results: CheckResult[] = [];
  for await (const { name } of Deno.readDir(`${output}/${FOLDER}`)) {
    const found = authScenarioOf(name);
    if (found === undefined) continue;
    const json = await Deno.readTextFile(`${output}/${FOLDER}/${name}/checks.json`);
    results.push(...parseChecks(found, json));
  }
  return results;
}
