/**
 * The report for programs. Its shape is described in conformance/README.md; whatever changes the
 * meaning of a key, or takes one away, raises the version.
 *
 * @module
 */

import type { LatencyReport } from "../latency/mod.ts";
import type { Group } from "../suite/mod.ts";
import type { Assessment, CheckStatus, Counts, Finding } from "./assess.ts";

/** The version of the shape. */
export const JSON_REPORT_VERSION = 1;

/** The report as a value. */
export interface JsonReport {
  readonly version: typeof JSON_REPORT_VERSION;
  readonly ok: boolean;
  readonly target: { readonly name: string; readonly url: string };
  readonly startedAt: string;
  readonly durationMs: number;
  readonly platform: string;
  readonly command: string;
  readonly counts: Counts;
  readonly groups: Readonly<Partial<Record<Group, Counts>>>;
  readonly checks: readonly {
    readonly id: string;
    readonly group: Group;
    readonly title: string;
    readonly source: string;
    readonly status: CheckStatus;
    readonly cases: readonly Omit<Finding, "check">[];
  }[];
  readonly cases: readonly {
    readonly id: string;
    readonly title: string;
    readonly durationMs: number;
    /** Assumptions that the target was not set up with; the case was not run then. */
    readonly skippedFor: readonly string[];
  }[];
  readonly stale: readonly {
    readonly check: string | null;
    readonly case: string;
    readonly reason: string;
  }[];
  readonly latency: LatencyReport["summaries"] | null;
}

/** The report as a value. */
export function jsonReport({ run, ok, counts, groups, checks, stale }: Assessment): JsonReport {
  return {
    version: JSON_REPORT_VERSION,
    ok,
    target: run.target,
    startedAt: run.startedAt,
    durationMs: Math.round(run.durationMs),
    platform: run.platform,
    command: run.command,
    counts,
    groups: Object.fromEntries(groups.map(({ group, counts }) => [group, counts])),
    checks: checks.map(({ check, status, findings }) => ({
      id: check.id,
      group: check.group,
      title: check.title,
      source: check.source,
      status,
      cases: findings.map(({ check: _, ...finding }) => finding),
    })),
    cases: run.results.map(({ id, title, durationMs, skippedFor }) => ({
      id,
      title,
      durationMs: Math.round(durationMs),
      skippedFor,
    })),
    stale: stale.map(({ failure, case: caseId }) => ({
      check: failure.check ?? null,
      case: caseId,
      reason: failure.reason,
    })),
    latency: run.latency?.summaries ?? null,
  };
}

/** The report as JSON. */
export function jsonText(assessment: Assessment): string {
  return `${JSON.stringify(jsonReport(assessment), null, 2)}\n`;
}
