/**
 * The report for people.
 *
 * @module
 */

import { latencyLines } from "../../bench/report.ts";
import { alignedTable } from "../../bench/table.ts";
import {
  type Assessment,
  type CheckSummary,
  type Counts,
  type Finding,
  nameOf,
  repeatCommand,
  type SuiteRun,
} from "./assess.ts";

/** Failures of one check that are told one by one. */
const MAX_TOLD_CASES = 5;

/** The report for people: failures first, then the groups, then one line that says it all. */
export function prettyReport(assessment: Assessment): string {
  const { run, checks, stale, skipped } = assessment;
  const blocks: string[][] = [
    [`${run.target.name} at ${run.target.url}`],
    ...checks.filter(({ status }) => status === "failed").map((check) => failure(run, check)),
    expectedLines(checks),
    stale.map(({ failure, case: caseId }) =>
      `STALE ${nameOf(failure)}: passed in ${caseId}; take it out of the expected failures`
    ),
    skippedLines(skipped),
    groupTable(assessment),
    ...(run.latency?.summaries ?? []).map((summary) => latencyLines(summary)),
    [...run.latency?.notes ?? []],
    [lastLine(assessment)],
  ];
  return blocks.filter((block) => block.length > 0).map((block) => `${block.join("\n")}\n`)
    .join("\n");
}

function failure(run: SuiteRun, { check, findings }: CheckSummary): string[] {
  const failed = findings.filter(({ status }) => status === "failed");
  const lines = [`FAIL ${check.id}`, `  rule    ${check.title}`, `  source  ${check.source}`];
  for (const finding of failed.slice(0, MAX_TOLD_CASES)) lines.push(...caseLines(finding));
  const more = failed.length - MAX_TOLD_CASES;
  if (more > 0) lines.push(`  and in ${more} more cases`);
  const only = failed.length === 1 ? failed[0]!.case : check.id;
  return [...lines, `  repeat  ${repeatCommand(run, only)}`];
}

function caseLines({ check, case: caseId, message = "no reason was given" }: Finding): string[] {
  const told = printable(message).replaceAll("\n", "\n          ");
  return caseId === check.id ? [`  found   ${told}`] : [`  in      ${caseId}`, `  found   ${told}`];
}

function expectedLines(checks: readonly CheckSummary[]): string[] {
  const reasons = new Map<string, string[]>();
  for (const { check, case: caseId, status, reason = "" } of checks.flatMap((c) => c.findings)) {
    if (status !== "expected") continue;
    const name = caseId === check.id ? check.id : `${check.id} in ${caseId}`;
    reasons.set(reason, [...reasons.get(reason) ?? [], name]);
  }
  return [...reasons].flatMap(([reason, names]) => {
    const more = names.length - MAX_TOLD_CASES;
    const told = names.slice(0, MAX_TOLD_CASES).map((name) => `  ${name}`);
    if (more > 0) told.push(`  and ${more} more`);
    return [`EXPECTED ${reason}`, ...told];
  });
}

function skippedLines(skipped: Assessment["skipped"]): string[] {
  const byNeed = new Map<string, number>();
  for (const { missing } of skipped) {
    const need = missing.join(", ");
    byNeed.set(need, (byNeed.get(need) ?? 0) + 1);
  }
  return [...byNeed].map(([need, count]) =>
    `SKIPPED ${count} ${count === 1 ? "case" : "cases"} for want of ${need} (--assume)`
  );
}

function groupTable({ groups, counts }: Assessment): string[] {
  const row = (name: string, of: Counts) => [
    name,
    ...[of.passed, of.failed, of.expected, of.skipped, of.total].map(String),
  ];
  return alignedTable([
    ["group", "passed", "failed", "expected", "skipped", "of"],
    ...groups.map(({ group, counts }) => row(group, counts)),
    row("all", counts),
  ]);
}

function lastLine({ ok, counts, stale, run }: Assessment): string {
  const parts = [`${counts.passed} of ${counts.total} checks passed`];
  if (counts.failed > 0) parts.push(`${counts.failed} failed`);
  if (counts.expected > 0) parts.push(`${counts.expected} failed as expected`);
  if (stale.length > 0) parts.push(`${stale.length} expected failures passed`);
  if (counts.skipped > 0) parts.push(`${counts.skipped} skipped`);
  const seconds = (run.durationMs / 1000).toFixed(1);
  return `${ok ? "ok" : "FAILED"} | ${
    parts.join(", ")
  } | ${run.results.length} cases, ${seconds} s`;
}

// What steers a terminal, but for the line feed.
// deno-lint-ignore no-control-regex
const STEERING = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/g;

/** Text with what would steer a terminal written out. */
function printable(text: string): string {
  return text.replace(
    STEERING,
    (found) => `\\u{${found.codePointAt(0)!.toString(16).toUpperCase()}}`,
  );
}
