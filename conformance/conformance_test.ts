import { assert, assertEquals } from "@std/assert";
import { Cleanup } from "../bench/cleanup.ts";
import { OWN_EXPECTED_FILE } from "./cli/mod.ts";
import { parseExpected, unknownIds } from "./expected/mod.ts";
import { assess, prettyReport, type SuiteRun } from "./report/mod.ts";
import { loadCatalogue, openTarget, OWN_SOURCE, sectionOf } from "./runner/mod.ts";
import { type CaseResult, runCases } from "./suite/mod.ts";

/** Other tests run beside this one: what comes late is not yet what does not come. */
const PATIENCE_MS = 15_000;

Deno.test("this proxy passes the conformance suite, but for what is known", async (test) => {
  const catalogue = await loadCatalogue();
  const checks = catalogue.checks.filter(({ group }) => group !== "latency");
  const file = "conformance/expected/switchyard.json";
  const { failures } = parseExpected(file, await Deno.readTextFile(OWN_EXPECTED_FILE));
  const cleanup = new Cleanup();
  const results: CaseResult[] = [];
  const runOf = (found: readonly CaseResult[]): SuiteRun => ({
    target: { name: OWN_SOURCE.name, url: "" },
    startedAt: "",
    durationMs: 0,
    platform: "",
    command: OWN_SOURCE.command,
    checks,
    results: found,
    expected: failures,
  });
  try {
    const { mock, target } = await openTarget({
      source: OWN_SOURCE,
      upstream: { hostname: "127.0.0.1", port: 0 },
      patienceMs: PATIENCE_MS,
      cleanup,
    });
    const { assume } = OWN_SOURCE;
    const sections = Map.groupBy(catalogue.cases, (one) => sectionOf(one, catalogue));
    for (const [section, cases] of sections) {
      await test.step(`${section}: ${cases.length} cases`, async () => {
        const found = await runCases(cases, { target, mock, patienceMs: PATIENCE_MS, assume });
        results.push(...found);
        const assessment = assess(runOf(found));
        const { failed } = assessment.counts;
        assert(failed === 0 && assessment.stale.length === 0, prettyReport(assessment));
      });
    }
  } finally {
    await cleanup.run();
  }
  await test.step("every case was run, and each expected failure is of a check there is", () => {
    assertEquals(results.filter(({ skippedFor }) => skippedFor.length > 0), []);
    const ids = (of: readonly { readonly id: string }[]) => of.map(({ id }) => id);
    const known = { checks: ids(catalogue.checks), cases: ids(catalogue.cases) };
    assertEquals(unknownIds({ target: "switchyard", failures }, known), []);
  });
});
