/**
 * What `--list` prints.
 *
 * @module
 */

import type { Catalogue } from "../runner/mod.ts";
import { type Group, GROUPS } from "../suite/mod.ts";

/** Checks by group with their sources, and cases with the checks they judge. */
export function listLines({ checks, cases }: Catalogue): string[] {
  const lines: string[] = [];
  for (const [group, about] of Object.entries(GROUPS) as [Group, string][]) {
    const inGroup = checks.filter((check) => check.group === group);
    if (inGroup.length === 0) continue;
    lines.push(`${group}: ${about}`);
    for (const { id, title, source } of inGroup) {
      lines.push(`  ${id}`, `      ${title}`, `      ${source}`);
    }
    lines.push("");
  }
  // A case that is a check's own says nothing that the check does not say.
  const further = cases.filter((one) => one.checks.length !== 1 || one.id !== one.checks[0]);
  if (further.length > 0) {
    lines.push("cases that judge several checks");
    for (const { id, title, checks: judged } of further) {
      lines.push(`  ${id}`, `      ${title}`, `      ${judged.join(", ")}`);
    }
    lines.push("");
  }
  const latency = checks.filter(({ group }) => group === "latency").length;
  lines.push(`${checks.length} checks, ${cases.length + latency} cases`);
  return lines;
}
