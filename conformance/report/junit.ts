/**
 * JUnit XML: a suite for each group, a test case for each check in each case.
 *
 * @module
 */

import { latencyLines } from "../../bench/report.ts";
import {
  type Assessment,
  type CheckSummary,
  type Finding,
  nameOf,
  repeatCommand,
} from "./assess.ts";

/** The report as JUnit XML. */
export function junitReport(assessment: Assessment): string {
  const { run, groups, stale, checks } = assessment;
  const durations = new Map(run.results.map(({ id, durationMs }) => [id, durationMs]));
  const suites = groups.map(({ group }) => {
    const rows = checks.filter(({ check }) => check.group === group)
      .flatMap((summary) => testCases(assessment, summary, durations));
    const out = group === "latency" ? tables(assessment) : "";
    return suite(`conformance.${group}`, rows, out);
  });
  if (stale.length > 0) suites.push(suite("conformance.expected-failures", stale.map(staleCase)));
  const seconds = time(run.durationMs);
  return `<?xml version="1.0" encoding="UTF-8"?>\n` +
    `<testsuites name="${xml(`conformance of ${run.target.name}`)}" time="${seconds}">\n` +
    `${suites.join("")}</testsuites>\n`;
}

/** A test case as XML, and what it counts as. */
interface TestCase {
  readonly text: string;
  readonly kind: "passed" | "failed" | "skipped";
}

function testCases(
  assessment: Assessment,
  { check, findings }: CheckSummary,
  durations: ReadonlyMap<string, number>,
): TestCase[] {
  const open = (name: string, durationMs: number) =>
    `    <testcase classname="conformance.${check.group}" name="${xml(name)}" ` +
    `time="${time(durationMs)}"`;
  if (findings.length === 0) {
    const text = `${open(check.id, 0)}><skipped message="no case judged it"/></testcase>\n`;
    return [{ text, kind: "skipped" }];
  }
  return findings.map((finding): TestCase => {
    const { case: caseId, status } = finding;
    const name = caseId === check.id ? check.id : `${check.id} in ${caseId}`;
    const start = open(name, durations.get(caseId) ?? 0);
    const kind = status === "expected" ? "skipped" : status;
    return { text: `${start}${ENDS[status](finding, assessment)}`, kind };
  });
}

const ENDS: Readonly<
  Record<Finding["status"], (finding: Finding, assessment: Assessment) => string>
> = {
  passed: () => "/>\n",
  expected: ({ reason = "", message = "" }) =>
    `><skipped message="${xml(`expected failure: ${reason}; ${message}`)}"/></testcase>\n`,
  failed: ({ check, case: caseId, message = "" }, { run }) => {
    const told = [
      `rule: ${check.title}`,
      `source: ${check.source}`,
      `found: ${message}`,
      `repeat: ${repeatCommand(run, caseId)}`,
    ];
    return `><failure message="${xml(message)}">${xml(told.join("\n"))}</failure></testcase>\n`;
  },
};

function staleCase({ failure, case: caseId }: Assessment["stale"][number]): TestCase {
  const name = xml(`${nameOf(failure)}, passed in ${caseId}`);
  const text =
    `    <testcase classname="conformance.expected-failures" name="${name}" time="0.000">` +
    `<failure message="stale: it passed; take it out of the expected failures"/></testcase>\n`;
  return { text, kind: "failed" };
}

function suite(name: string, cases: readonly TestCase[], out = ""): string {
  const count = (wanted: TestCase["kind"]) => cases.filter(({ kind }) => kind === wanted).length;
  const output = out === "" ? "" : `    <system-out>${xml(out)}</system-out>\n`;
  return `  <testsuite name="${xml(name)}" tests="${cases.length}" ` +
    `failures="${count("failed")}" errors="0" skipped="${count("skipped")}">\n` +
    `${cases.map(({ text }) => text).join("")}${output}  </testsuite>\n`;
}

function tables({ run }: Assessment): string {
  return (run.latency?.summaries ?? []).map((table) => latencyLines(table).join("\n")).join("\n\n");
}

function time(durationMs: number): string {
  return (durationMs / 1000).toFixed(3);
}

const NAMED: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

// What XML 1.0 does not allow in a document at all (section 2.2), not even as a reference.
// deno-lint-ignore no-control-regex
const NOT_IN_XML = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/gu;

/** Text for XML; characters that XML cannot hold become `\u{..}`. */
export function xml(text: string): string {
  return text
    .replace(NOT_IN_XML, (found) => `\\u{${found.codePointAt(0)!.toString(16).toUpperCase()}}`)
    .replace(/[&<>"']/g, (found) => NAMED[found]!)
    .replace(/\r/g, "&#13;");
}
