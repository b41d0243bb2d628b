/**
 * What servers and clients say to each other today, in a sample: one case of each server in each revision, and every
 * tenth. `deno task fixtures --check` records all of them, which takes a process for each.
 */

import { assert, assertEquals } from "@std/assert";
import { Processes } from "../official_processes.ts";
import { pathOf, type RecordCase } from "./case.ts";
import { CASES } from "./cases.ts";
import { recordAll } from "./run.ts";

const FIXTURES = `${import.meta.dirname}/../../fixtures`;
const STRIDE = 10;

/** The first case of each server in each revision, and one of ten. */
function sampleOf(cases: readonly RecordCase[]): RecordCase[] {
  const seen = new Set<string>();
  return cases.filter(({ revision, server }, at) => {
    const kind = `${revision} ${server}`;
    const isFirst = !seen.has(kind);
    seen.add(kind);
    return isFirst || at % STRIDE === 0;
  });
}

Deno.test({
  name: "each fixture of a sample is what its server and its client say to each other today",
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "switchyard-drift-" });
    const processes = new Processes();
    const cases = sampleOf(CASES);
    assert(cases.length > CASES.length / STRIDE);
    try {
      const outcomes = await recordAll(cases, { processes, committed: FIXTURES, folder });
      const drifted = outcomes.filter(({ status }) => status !== "same")
        .map(({ item, status, text }) => `${status} ${pathOf(item)}\n${text}`);
      assertEquals(outcomes.length, cases.length);
      assertEquals(drifted, []);
    } finally {
      await processes.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
