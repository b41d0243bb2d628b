/**
 * RESULTS.md: targets side by side. Pure.
 *
 * @module
 */

import type { Estimate } from "../../bench/summary.ts";
import { SUBJECT } from "../latency/mod.ts";
import { type Assessment, type CheckStatus, markdownTable } from "../report/mod.ts";
import { type Group, GROUPS } from "../suite/mod.ts";
import type { LeftOut, Peer } from "./peers.ts";

/** A target, and what was found. */
export interface PeerResult {
  readonly peer: Peer;
  readonly assessment: Assessment;
}

/** What stands in the document beside the tables. */
export interface ResultsFacts {
  /** ISO 8601. */
  readonly date: string;
  readonly platform: string;
  readonly command: string;
  readonly patienceMs: number;
  readonly leftOut: readonly LeftOut[];
}

// A known gap is a gap: beside others it counts as what it is.
const MARKS: Readonly<Record<CheckStatus, string>> = {
  passed: "pass",
  failed: "fail",
  expected: "fail",
  skipped: "-",
};

/** The document. */
export function resultsDocument(results: readonly PeerResult[], facts: ResultsFacts): string {
  const lines = [
    "# Proxies side by side",
    "",
    `Written by \`${facts.command}\` on ${facts.date.slice(0, 10)}: ${facts.platform}, loopback, ` +
    `anything may take ${facts.patienceMs} ms. A row is a check, one or more cases; it passes where ` +
    "every case passes. `-` is a check that was not made, because the target cannot be set up as it " +
    "assumes. [README.md](README.md) tells what is checked and how; `deno task conformance -- --list` " +
    "names the source of each check.",
    "",
    "The suite asks for what a transparent MCP proxy does. Not every target claims to be one; what " +
    "each does not claim stands beside its name, and its numbers are to be read with that.",
    "",
    "## Targets",
    "",
    ...results.flatMap(({ peer }) => [
      `### ${peer.source.name}`,
      "",
      `Version: ${peer.version}. Assumptions made: ${peer.source.assume.join(", ") || "none"}.`,
      "",
      peer.claims,
      "",
      peer.setup,
      "",
    ]),
    ...facts.leftOut.flatMap(({ name, why }) => [`### ${name}`, "", `Not run: ${why}.`, ""]),
    "## Groups: checks passed of those made",
    "",
    ...markdownTable(groupRows(results)),
    "",
    ...latencyLines(results),
    "## Checks",
    "",
    ...markdownTable(checkRows(results)),
  ];
  return `${lines.join("\n")}\n`;
}

function groupRows(results: readonly PeerResult[]): string[][] {
  const groups = (Object.keys(GROUPS) as Group[]).filter((group) =>
    results.some(({ assessment }) => assessment.groups.some((row) => row.group === group))
  );
  const cell = ({ assessment }: PeerResult, group: Group | undefined): string => {
    const counts = group === undefined
      ? assessment.counts
      : assessment.groups.find((row) => row.group === group)?.counts;
    return counts === undefined ? "-" : `${counts.passed}/${counts.total - counts.skipped}`;
  };
  return [
    ["group", "what it is about", ...names(results)],
    ...groups.map((group) => [group, GROUPS[group], ...results.map((one) => cell(one, group))]),
    ["all", "", ...results.map((one) => cell(one, undefined))],
  ];
}

function latencyLines(results: readonly PeerResult[]): string[] {
  const rows = latencyRows(results);
  if (rows.length === 1) return [];
  return [
    "## Latency: ratio of p95 to a direct call",
    "",
    "With a 95 % interval; paired and interleaved with direct calls, in one run for each target. A wide " +
    "interval means that the machine was busy with something else, and says nothing of the target.",
    "",
    ...markdownTable(rows),
    "",
  ];
}

function latencyRows(results: readonly PeerResult[]): string[][] {
  const services = [
    ...new Set(
      results.flatMap(({ assessment }) =>
        (assessment.run.latency?.summaries ?? []).map(({ plan }) => plan.serviceMs)
      ),
    ),
  ];
  return [
    ["server takes", ...names(results)],
    ...services.map((serviceMs) => [
      `${serviceMs} ms`,
      ...results.map(({ assessment }) => {
        const table = assessment.run.latency?.summaries.find(({ plan }) =>
          plan.serviceMs === serviceMs
        );
        return ratio(table?.rows.find(({ target }) => target === SUBJECT)?.p95Ratio);
      }),
    ]),
  ];
}

function ratio(estimate: Estimate | undefined): string {
  if (estimate === undefined) return "not measured";
  const { value, interval: { low, high } } = estimate;
  return `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}

function checkRows(results: readonly PeerResult[]): string[][] {
  const checks = results[0]?.assessment.checks ?? [];
  return [
    ["check", ...names(results)],
    ...checks.map(({ check }) => [
      check.id,
      ...results.map(({ assessment }) => {
        const found = assessment.checks.find((one) => one.check.id === check.id);
        return MARKS[found?.status ?? "skipped"];
      }),
    ]),
  ];
}

function names(results: readonly PeerResult[]): string[] {
  return results.map(({ peer }) => peer.source.name);
}
