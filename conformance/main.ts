/**
 * The conformance suite: `deno task conformance`.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { SCENARIOS } from "./checks/mod.ts";
import { MockUpstream } from "./mock/mod.ts";
import { OWN_ASSUMPTIONS, startOwnProxy } from "./own_proxy.ts";
import { runCases, scenarioCase } from "./suite/mod.ts";

async function main(args: readonly string[]): Promise<number> {
  const flags = parseArgs(args, { string: ["filter"] });
  const filter = typeof flags["filter"] === "string" ? flags["filter"] : "";
  const cases = SCENARIOS.map(scenarioCase).filter(({ id }) => id.includes(filter));
  await using mock = await MockUpstream.listen();
  await using proxy = await startOwnProxy(`http://${mock.host}/mcp`);
  const results = await runCases(cases, {
    target: proxy.target,
    mock,
    patienceMs: 5_000,
    assume: OWN_ASSUMPTIONS,
  });
  let failed = 0;
  for (const { id, verdicts, durationMs } of results) {
    for (const { status, message } of verdicts) {
      if (status === "fail") failed++;
      // deno-lint-ignore no-console -- until there are reports
      console.log(`${status} ${id} ${Math.round(durationMs)} ms ${message ?? ""}`);
    }
  }
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
