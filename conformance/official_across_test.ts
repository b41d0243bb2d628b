import { assertEquals, assertThrows } from "@std/assert";
import { expectedOf, parseAcross, surprisesOf } from "./official_across.ts";
import { type CheckResult, WHOLE_SCENARIO } from "./official_results.ts";

const REASON = { reason: "It cannot.", section: "2026-07-28 basic/index" };
const PASSED: CheckResult = { scenario: "ping", checkId: "ping/Ping", status: "SUCCESS" };
const FAILED: CheckResult = { ...PASSED, status: "FAILURE" };
const KNOWN = { scenario: "ping", check: "ping/Ping", ...REASON };

Deno.test("surprisesOf() finds what fails and is not expected, warnings too", () => {
  assertEquals(surprisesOf([PASSED], []), []);
  for (const status of ["FAILURE", "WARNING"] as const) {
    const [surprise] = surprisesOf([{ ...PASSED, status }], []);
    assertEquals([surprise?.kind, surprise?.told], ["unexpected", status]);
  }
  assertEquals(surprisesOf([FAILED], [KNOWN]), []);
  assertEquals(surprisesOf([FAILED], [{ ...KNOWN, check: "other" }]).length, 2);
  assertEquals(surprisesOf([FAILED], [{ ...KNOWN, scenario: "other" }]).length, 2);
});

Deno.test("surprisesOf() finds what is expected to fail and passes, or is not there", () => {
  assertEquals(surprisesOf([PASSED], [KNOWN]).map(({ kind }) => kind), ["stale"]);
  assertEquals(surprisesOf([], [KNOWN]).map(({ kind, told }) => [kind, told]), [
    ["stale", "It cannot."],
  ]);
});

Deno.test("surprisesOf() calls nothing stale that was not run", () => {
  assertEquals(surprisesOf([], [KNOWN], "other"), []);
  assertEquals(surprisesOf([], [KNOWN], "ping").length, 1);
});

Deno.test("expectedOf() takes the run of this server at this revision", () => {
  const failures = [{ scenario: "ping", ...REASON }];
  const list = parseAcross(JSON.stringify({
    runs: [{ server: "modern", revision: "2025-11-25", failures }],
  }));
  const [known] = expectedOf(list, { server: "modern", revision: "2025-11-25" });
  assertEquals(known?.check, WHOLE_SCENARIO);
  assertEquals(expectedOf(list, { server: "session", revision: "2025-11-25" }), []);
  assertEquals(expectedOf(list, { server: "modern", revision: "2026-07-28" }), []);
});

Deno.test("parseAcross() refuses a failure without a reason or a section", () => {
  for (const failure of [{ scenario: "a", reason: "b" }, { scenario: "a", section: "b" }]) {
    const runs = [{ server: "modern", revision: "2025-11-25", failures: [failure] }];
    assertThrows(() => parseAcross(JSON.stringify({ runs })));
  }
});
