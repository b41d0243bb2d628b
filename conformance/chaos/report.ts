/**
 * The report of a chaos test, as text and as JSON: pure.
 *
 * @module
 */

import { RULES } from "./judge.ts";
import type { Outcome } from "./run.ts";
import type { Times } from "./watch.ts";

/** Findings of one rule that the text shows; the JSON has all. */
const SHOWN = 15;

/** The command that does the same again, as far as a seed decides. */
export function command({ options }: Pick<Outcome, "options">): string {
  const { seconds, clients, seed, reloads, targets, faults, only } = options;
  const list = faults.length === 0 ? "none" : faults.join(",");
  return `deno task chaos -- --seconds ${seconds} --clients ${clients} --seed ${seed} ` +
    `--reloads ${reloads} --targets ${targets} --faults ${list}` +
    (only.length === 0 ? "" : ` --only ${only.join(",")}`);
}

/** The report for people. */
export function textReport(outcome: Outcome): string {
  const { figures, faults, reloads, eject, readmit, counts, findings, options } = outcome;
  const { answerMs } = figures;
  const kinds = Map.groupBy(faults, ({ kind }) => kind);
  const told = [...kinds].map(([kind, all]) => `${kind} ${all.length}`).join(", ");
  const excused = Object.entries(figures.excused).map(([kind, count]) => `${kind} ${count}`);
  const rows: readonly (readonly [string, string | number])[] = [
    ["seed", options.seed],
    ["clients", options.clients],
    ["seconds", (outcome.tookMs / 1_000).toFixed(1)],
    ["requests", figures.calls],
    ["answered", figures.answered],
    ["time to an answer", `p50 ${answerMs.p50} ms, p99 ${answerMs.p99} ms, max ${answerMs.max} ms`],
    ["failures seen by clients, excused", excused.join(", ") || 0],
    ["failures seen by clients, not excused", figures.unexcused],
    ["POSTs delivered twice", figures.deliveredTwice],
    ["reads sent again", figures.readsSentAgain],
    ["calls sent again in a new session", figures.sentAnew],
    ["events", figures.progressEvents + figures.tickEvents],
    ["events lost", figures.eventsLost],
    ["events twice", figures.eventsTwice],
    ["sessions at servers with numbered events", figures.epochs],
    ["faults", `${faults.length}${told && `: ${told}`}`],
    ["time to eject", timesText(eject, "over before it was noticed")],
    ["time to readmit", timesText(readmit, "not back at the end")],
    ["reloads", `${reloads.done}, and ${reloads.refused} wrong files refused`],
    ["longest pause of this process", `${outcome.longestLagMs} ms`],
    ...Object.entries(counts).toSorted(),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  return [...lines, ...findingLines(findings), "", `again: ${command(outcome)}`, ""].join("\n");
}

function findingLines(findings: Outcome["findings"]): string[] {
  if (findings.length === 0) return ["", "no findings"];
  const lines = ["", `${findings.length} findings`];
  for (const [rule, all] of Map.groupBy(findings, ({ rule }) => rule)) {
    lines.push("", `${all.length} against: ${RULES[rule]}`);
    lines.push(...all.slice(0, SHOWN).map(({ what }) => `  ${what}`));
    if (all.length > SHOWN) lines.push(`  and ${all.length - SHOWN} more`);
  }
  return lines;
}

function timesText(times: Times | null, never: string): string {
  if (times === null) return "the proxy does not tell";
  const { count, p50Ms, maxMs } = times;
  const figures = count === 0 ? "none" : `p50 ${p50Ms} ms, max ${maxMs} ms, ${count} times`;
  return `${figures}; ${times.never} ${never}`;
}

/** The report for programs. */
export function jsonReport(outcome: Outcome): string {
  const rules = RULES;
  return JSON.stringify({ ...outcome, command: command(outcome), rules }, null, 2);
}
