import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { assess, jsonReport, junitReport, markdownReport, prettyReport, xml } from "./mod.ts";
import { GOOD_RUN, RUN } from "./samples.ts";

Deno.test("assess() tells new failures, expected ones and stale expectations apart", () => {
  const { checks, counts, stale, skipped, groups, ok } = assess(RUN);
  assertEquals(checks.map(({ check, status }) => [check.id, status]), [
    ["answer.status", "failed"],
    ["events.order", "passed"],
    ["faults.refused", "skipped"],
    ["limits.large", "passed"],
  ]);
  assertEquals(checks[0]!.findings.map(({ status }) => status), ["passed", "failed", "expected"]);
  assertEquals(checks[0]!.findings[2]!.reason, "not built yet");
  assertEquals(counts, { passed: 2, failed: 1, expected: 0, skipped: 1, total: 4 });
  assertEquals(stale.map((one) => one.case), ["limits.large"]);
  assertEquals(skipped, [{ case: "faults.refused", missing: ["short-timeouts"] }]);
  assertEquals(groups.map(({ group }) => group), ["limits", "answer", "events", "faults"]);
  assertEquals(ok, false);
});

Deno.test("assess() lets expected failures pass, and fails where an expected one passes", () => {
  const failing = RUN.results.filter(({ id }) => id === "fixtures/2024-11-05/echo");
  const [notBuilt, wasWrong] = RUN.expected;
  assertEquals(assess({ ...RUN, results: failing, expected: [notBuilt!] }).ok, true);
  assertEquals(assess({ ...RUN, results: failing, expected: [] }).ok, false);
  const passing = RUN.results.filter(({ id }) => id === "limits.large");
  assertEquals(assess({ ...RUN, results: passing, expected: [] }).ok, true);
  assertEquals(assess({ ...RUN, results: passing, expected: [wasWrong!] }).ok, false);
});

Deno.test("assess() is not content where nothing was judged", () => {
  assertEquals(assess({ ...RUN, results: [], expected: [] }).ok, false);
});

Deno.test("assess() refuses a verdict about a check that does not exist", () => {
  assertThrows(() => assess({ ...RUN, checks: RUN.checks.slice(1) }), Error, "which is no check");
});

Deno.test("prettyReport() says what failed, why, by which rule, and how to repeat it", () => {
  assertEquals(
    prettyReport(assess(RUN)),
    `a proxy at http://127.0.0.1:8080/mcp

FAIL answer.status
  rule    the rule of answer.status
  source  source of answer.status
  in      fixtures/2025-11-25/echo
  found   is "a\\u{0}|<b>", expected 200
  repeat  deno task conformance -- --target http://127.0.0.1:8080/mcp --upstream-port 9000 --filter fixtures/2025-11-25/echo

EXPECTED not built yet
  answer.status in fixtures/2024-11-05/echo

STALE limits.large: passed in limits.large; take it out of the expected failures

SKIPPED 1 case for want of short-timeouts (--assume)

group   passed  failed  expected  skipped  of
limits       1       0         0        0   1
answer       0       1         0        0   1
events       1       0         0        0   1
faults       0       0         0        1   1
all          2       1         0        1   4

FAILED | 2 of 4 checks passed, 1 failed, 1 expected failures passed, 1 skipped | 5 cases, 1.2 s
`,
  );
});

Deno.test("prettyReport() shows the tables of latency", () => {
  const text = prettyReport(assess(GOOD_RUN));
  assertStringIncludes(text, "latency: upstream 20 ms, 1 connection, pause 0 ms, 100 rounds");
  assertStringIncludes(text, "1.040 [1.020, 1.060]");
  assertStringIncludes(text, "nginx: SKIPPED, not found on PATH");
  assertStringIncludes(text, "\nok | 2 of 2 checks passed | 2 cases, 1.2 s\n");
});

Deno.test("junitReport() has a suite for each group, and what is stale fails", () => {
  assertEquals(
    junitReport(assess(RUN)),
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="conformance of a proxy" time="1.234">
  <testsuite name="conformance.limits" tests="1" failures="0" errors="0" skipped="0">
    <testcase classname="conformance.limits" name="limits.large" time="0.012"/>
  </testsuite>
  <testsuite name="conformance.answer" tests="3" failures="1" errors="0" skipped="1">
    <testcase classname="conformance.answer" name="answer.status" time="0.012"/>
    <testcase classname="conformance.answer" name="answer.status in fixtures/2025-11-25/echo" time="0.012"><failure message="is &quot;a\\u{0}|&lt;b&gt;&quot;, expected 200">rule: the rule of answer.status
source: source of answer.status
found: is &quot;a\\u{0}|&lt;b&gt;&quot;, expected 200
repeat: deno task conformance -- --target http://127.0.0.1:8080/mcp --upstream-port 9000 --filter fixtures/2025-11-25/echo</failure></testcase>
    <testcase classname="conformance.answer" name="answer.status in fixtures/2024-11-05/echo" time="0.012"><skipped message="expected failure: not built yet; is 404, expected 200"/></testcase>
  </testsuite>
  <testsuite name="conformance.events" tests="1" failures="0" errors="0" skipped="0">
    <testcase classname="conformance.events" name="events.order in fixtures/2025-11-25/echo" time="0.012"/>
  </testsuite>
  <testsuite name="conformance.faults" tests="1" failures="0" errors="0" skipped="1">
    <testcase classname="conformance.faults" name="faults.refused" time="0.000"><skipped message="no case judged it"/></testcase>
  </testsuite>
  <testsuite name="conformance.expected-failures" tests="1" failures="1" errors="0" skipped="0">
    <testcase classname="conformance.expected-failures" name="limits.large, passed in limits.large" time="0.000"><failure message="stale: it passed; take it out of the expected failures"/></testcase>
  </testsuite>
</testsuites>
`,
  );
  assertStringIncludes(junitReport(assess(GOOD_RUN)), "<system-out>latency: upstream 20 ms");
});

Deno.test("xml() escapes what has a meaning, and writes out what XML cannot hold", () => {
  const cases: [string, string][] = [
    [`<a href="x">'&'</a>`, "&lt;a href=&quot;x&quot;&gt;&apos;&amp;&apos;&lt;/a&gt;"],
    ["tab\t, line\n, return\r", "tab\t, line\n, return&#13;"],
    ["\u0000\u0008\u001B[31m\uFFFF", "\\u{0}\\u{8}\\u{1B}[31m\\u{FFFF}"],
    ["half \uD800, whole \u{1F600}", "half \\u{D800}, whole \u{1F600}"],
  ];
  for (const [text, wanted] of cases) assertEquals(xml(text), wanted);
});

Deno.test("jsonReport() keeps its shape", () => {
  const report = jsonReport(assess(RUN));
  assertEquals(Object.keys(report), [
    "version",
    "ok",
    "target",
    "startedAt",
    "durationMs",
    "platform",
    "command",
    "counts",
    "groups",
    "checks",
    "cases",
    "stale",
    "latency",
  ]);
  assertEquals(report.version, 1);
  assertEquals(report.checks[0], {
    id: "answer.status",
    group: "answer",
    title: "the rule of answer.status",
    source: "source of answer.status",
    status: "failed",
    cases: [
      { case: "answer.status", status: "passed" },
      {
        case: "fixtures/2025-11-25/echo",
        status: "failed",
        message: 'is "a\u0000|<b>", expected 200',
      },
      {
        case: "fixtures/2024-11-05/echo",
        status: "expected",
        message: "is 404, expected 200",
        reason: "not built yet",
      },
    ],
  });
  assertEquals(report.cases[4], {
    id: "faults.refused",
    title: "title of faults.refused",
    durationMs: 0,
    skippedFor: ["short-timeouts"],
  });
  assertEquals(report.stale, [{
    check: "limits.large",
    case: "limits.large",
    reason: "was wrong once",
  }]);
  assertEquals(report.latency, null);
  assertEquals(jsonReport(assess(GOOD_RUN)).latency?.length, 1);
});

Deno.test("markdownReport() keeps what it was told inside its cells", () => {
  const text = markdownReport(assess(RUN));
  assertStringIncludes(text, "## Conformance of a proxy: failed");
  assertStringIncludes(text, "| limits | 1 | 0 | 0 | 0 | 1 |");
  assertStringIncludes(
    text,
    '| answer.status | fixtures/2025-11-25/echo | **FAIL** | is "a \\|&lt;b\\>", expected 200 | source of answer.status |',
  );
  assertStringIncludes(text, "fails as expected | is 404, expected 200 (not built yet)");
  assertStringIncludes(text, "Stale expected failure: limits.large passed in limits.large.");
  const good = markdownReport(assess(GOOD_RUN));
  assertStringIncludes(good, "| proxy | 21.600 | 22.880 | 22.200 | 1.040 [1.020, 1.060] |");
});
