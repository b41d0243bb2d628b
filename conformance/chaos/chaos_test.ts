/**
 * The chaos test in short: `deno task chaos` is the long one.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { DEFAULTS } from "./options.ts";
import { textReport } from "./report.ts";
import { run } from "./run.ts";

/** Another one is tried with `SWITCHYARD_SEED`. */
const SEED = Number(Deno.env.get("SWITCHYARD_SEED") ?? DEFAULTS.seed);

Deno.test("targets are killed, hung, slowed, restarted and reset: nothing lost, nothing twice (R57, R60, R65, R66)", async () => {
  const outcome = await run({
    ...DEFAULTS,
    seconds: 8,
    clients: 40,
    reloads: 4,
    seed: SEED,
    thinkMs: [100, 1_000],
    // Other tests run beside this one: what is slow because of them must not run into a deadline.
    headersTimeoutMs: 15_000,
  });
  const report = textReport(outcome);
  assertEquals(outcome.findings, [], report);
  const { figures, faults } = outcome;
  assert(faults.length >= 3 && figures.answered > 200, `too little has happened:\n${report}`);
});
