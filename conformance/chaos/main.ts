/**
 * Three servers that are killed, hung, slowed, restarted and reset, many clients, and the proxy between them.
 *
 * Exit codes: 0 no finding, 1 a finding, 2 wrong flags.
 *
 * @module
 */

import { readOptions, USAGE } from "./options.ts";
import { jsonReport, textReport } from "./report.ts";
import { run } from "./run.ts";

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

async function main(args: readonly string[]): Promise<number> {
  let options;
  try {
    options = readOptions(args);
  } catch (error) {
    print(`${(error as Error).message}\n`);
    return 2;
  }
  if (options === undefined) {
    print(USAGE);
    return 0;
  }
  print(`seed ${options.seed}\n`);
  const outcome = await run(options);
  print(textReport(outcome));
  if (options.json !== undefined) await Deno.writeTextFile(options.json, jsonReport(outcome));
  return outcome.findings.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
