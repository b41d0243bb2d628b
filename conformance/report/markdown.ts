/**
 * The report as Markdown tables, for a pull request or a summary of a CI job.
 *
 * @module
 */

import type { Assessment, CheckStatus, Finding } from "./assess.ts";

const MARKS: Readonly<Record<CheckStatus, string>> = {
  passed: "pass",
  failed: "**FAIL**",
  expected: "fails as expected",
  skipped: "skipped",
};

/** The report as Markdown. */
export function markdownReport({ run, ok, counts, groups, checks, stale }: Assessment): string {
  const notable = checks.filter(({ status }) => status === "failed" || status === "expected");
  const lines = [
    `## Conformance of ${cell(run.target.name)}: ${ok ? "ok" : "failed"}`,
    "",
    ...markdownTable([
      ["group", "passed", "failed", "expected", "skipped", "of"],
      ...[...groups, { group: "all", counts }].map(({ group, counts }) => [
        group,
        ...[counts.passed, counts.failed, counts.expected, counts.skipped, counts.total]
          .map(String),
      ]),
    ]),
  ];
  if (notable.length > 0) {
    const rows = notable.flatMap(({ findings }) =>
      findings.filter(({ status }) => status !== "passed").map(findingRow)
    );
    lines.push("", ...markdownTable([["check", "case", "", "found", "source"], ...rows]));
  }
  for (const { failure, case: caseId } of stale) {
    lines.push(
      "",
      `Stale expected failure: ${cell(failure.check ?? "")} passed in ${cell(caseId)}.`,
    );
  }
  for (const { plan, rows } of run.latency?.summaries ?? []) {
    const ratio = ({ p95Ratio }: (typeof rows)[number]) =>
      p95Ratio === undefined
        ? ""
        : `${p95Ratio.value.toFixed(3)} [${p95Ratio.interval.low.toFixed(3)}, ${
          p95Ratio.interval.high.toFixed(3)
        }]`;
    lines.push(
      "",
      `Latency, server takes ${plan.serviceMs} ms:`,
      "",
      ...markdownTable([
        ["target", "p50 ms", "p95 ms", "p99 ms", "p95 to direct"],
        ...rows.map((row) => [
          row.target,
          row.p50Ms.toFixed(3),
          row.p95Ms.toFixed(3),
          row.p99Ms.toFixed(3),
          ratio(row),
        ]),
      ]),
    );
  }
  return `${lines.join("\n")}\n`;
}

function findingRow({ check, case: caseId, status, message = "", reason }: Finding): string[] {
  const found = reason === undefined ? message : `${message} (${reason})`;
  return [check.id, caseId === check.id ? "" : caseId, MARKS[status], found, check.source];
}

/** A Markdown table with its heading in the first row. */
export function markdownTable(rows: readonly (readonly string[])[]): string[] {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `| ${head.map(() => "---").join(" | ")} |`, ...body.map(line)];
}

/** Text for one cell of a table. */
function cell(text: string): string {
  // deno-lint-ignore no-control-regex
  const plain = text.replace(/[\u0000-\u001F\u007F]+/g, " ");
  return plain.replace(/[\\|<>`]/g, (found) => found === "<" ? "&lt;" : `\\${found}`);
}
