/**
 * From verdicts to what a run means: which failures are new, which were expected, which expectations
 * no longer hold.
 *
 * @module
 */

import { type ExpectedFailure, isExpected } from "../expected/mod.ts";
import type { LatencyReport } from "../latency/mod.ts";
import { type Assumption, type CaseResult, type Check, type Group, GROUPS } from "../suite/mod.ts";

/** Everything a run found. */
export interface SuiteRun {
  readonly target: { readonly name: string; readonly url: string };
  /** ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** What the suite ran on. */
  readonly platform: string;
  /** The command that repeats it, without a filter. */
  readonly command: string;
  /** The checks that were asked for. */
  readonly checks: readonly Check[];
  readonly results: readonly CaseResult[];
  readonly expected: readonly ExpectedFailure[];
  /** Absent where latency was not measured. */
  readonly latency?: LatencyReport;
}

/** What came of one check in one case. */
export interface Finding {
  readonly check: Check;
  readonly case: string;
  readonly status: "passed" | "failed" | "expected";
  /** What happened and what was expected, where it failed. */
  readonly message?: string;
  /** Why the failure was expected. */
  readonly reason?: string;
}

/** A case that was not run. */
export interface Skipped {
  readonly case: string;
  /** What the target was not set up with. */
  readonly missing: readonly Assumption[];
}

/** An expected failure that did not fail in this case. */
export interface Stale {
  readonly failure: ExpectedFailure;
  readonly case: string;
}

/** The worst that came of a check; `skipped` where no case judged it. */
export type CheckStatus = Finding["status"] | "skipped";

/** One check over all cases. */
export interface CheckSummary {
  readonly check: Check;
  readonly status: CheckStatus;
  readonly findings: readonly Finding[];
}

/** How many checks came out how. */
export type Counts = Readonly<Record<CheckStatus | "total", number>>;

/** What a run means. */
export interface Assessment {
  readonly run: SuiteRun;
  readonly checks: readonly CheckSummary[];
  readonly skipped: readonly Skipped[];
  readonly stale: readonly Stale[];
  /** Groups that have checks, in the order of the suite. */
  readonly groups: readonly { readonly group: Group; readonly counts: Counts }[];
  readonly counts: Counts;
  /** Nothing failed that was not expected, nothing expected passed, and something was judged. */
  readonly ok: boolean;
}

/** What a run means. */
export function assess(run: SuiteRun): Assessment {
  const checks = summarise(run);
  const stale = run.results.flatMap((result) => staleIn(result, run.expected));
  const counts = countOf(checks);
  const groups = (Object.keys(GROUPS) as Group[])
    .map((group) => ({
      group,
      counts: countOf(checks.filter(({ check }) => check.group === group)),
    }))
    .filter((row) => row.counts.total > 0);
  const skipped = run.results.filter(({ skippedFor }) => skippedFor.length > 0)
    .map(({ id, skippedFor }) => ({ case: id, missing: skippedFor }));
  const judged = counts.total > counts.skipped;
  const ok = counts.failed === 0 && stale.length === 0 && judged;
  return { run, checks, skipped, stale, groups, counts, ok };
}

function summarise({ checks, results, expected }: SuiteRun): CheckSummary[] {
  const known = new Map(checks.map((check) => [check.id, check]));
  const findings = new Map<string, Finding[]>(checks.map(({ id }) => [id, []]));
  for (const { id, verdicts } of results) {
    for (const { check: checkId, status, message } of verdicts) {
      const check = known.get(checkId);
      if (check === undefined) throw new Error(`${id} judged ${checkId}, which is no check`);
      const said = message === undefined ? {} : { message };
      const reason = status === "pass"
        ? undefined
        : expected.find((failure) => isExpected(failure, checkId, id))?.reason;
      const finding: Finding = status === "pass"
        ? { check, case: id, status: "passed" }
        : reason === undefined
        ? { check, case: id, status: "failed", ...said }
        : { check, case: id, status: "expected", ...said, reason };
      findings.get(checkId)!.push(finding);
    }
  }
  return checks.map((check) => {
    const found = findings.get(check.id)!;
    return { check, status: worst(found), findings: found };
  });
}

const FROM_WORST: readonly Finding["status"][] = ["failed", "expected", "passed"];

function worst(findings: readonly Finding[]): CheckStatus {
  const found = FROM_WORST.find((one) => findings.some(({ status }) => status === one));
  return found ?? "skipped";
}

function staleIn(result: CaseResult, expected: readonly ExpectedFailure[]): Stale[] {
  return expected.filter((failure) => {
    const named = result.verdicts.filter(({ check }) => isExpected(failure, check, result.id));
    return named.length > 0 && named.every(({ status }) => status === "pass");
  }).map((failure) => ({ failure, case: result.id }));
}

function countOf(checks: readonly CheckSummary[]): Counts {
  const count = (wanted: CheckStatus) => checks.filter(({ status }) => status === wanted).length;
  return {
    passed: count("passed"),
    failed: count("failed"),
    expected: count("expected"),
    skipped: count("skipped"),
    total: checks.length,
  };
}

/** An expected failure in words. */
export function nameOf({ check, case: caseId }: ExpectedFailure): string {
  return [check, caseId].filter((part) => part !== undefined).join(" in ");
}

/** The command that repeats the checks that an id names. */
export function repeatCommand({ command }: SuiteRun, id: string): string {
  return `${command}${command.includes(" -- ") ? "" : " --"} --filter ${id}`;
}
