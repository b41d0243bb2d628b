/** The tables: pure text. */

import { goalLines } from "./goals.ts";
import type { DrippedSummary } from "./dripped.ts";
import { type EraSummary, requestsPerCall } from "./era_summary.ts";
import type { RssSummary } from "./rss.ts";
import { type LatencyPlan, type StreamPlan, THROUGHPUT_CONNECTIONS } from "./sections.ts";
import type { StalledSummary } from "./stalled.ts";
import type { Estimate, LatencySummary, RateRow } from "./summary.ts";
import { alignedTable } from "./table.ts";

/** What ran, beside the figures. */
export interface RunFacts {
  readonly command: string;
  readonly deno: string;
  readonly platform: string;
  readonly cores: number;
  readonly loadAverage: number;
  readonly skipped: readonly string[];
  /** Candidates among the targets. */
  readonly candidates: readonly string[];
  readonly foreignUrl?: string;
}

/** One run of the sse section. */
export interface StreamSummary {
  readonly plan: StreamPlan;
  readonly rows: readonly RateRow[];
}

/** Everything a run found; a section that was not asked for is absent. */
export interface Report {
  readonly facts: RunFacts;
  readonly latency?: readonly LatencySummary[];
  readonly throughput?: readonly RateRow[];
  readonly eras?: EraSummary;
  readonly sse?: readonly StreamSummary[];
  readonly firstEvent?: LatencySummary;
  readonly rss?: readonly RssSummary[];
  readonly dripped?: DrippedSummary;
  readonly stalled?: StalledSummary;
}

function estimate(figure: Estimate | undefined, digits: number, sign = ""): string {
  if (figure === undefined) return "-";
  const text = (value: number): string => (value < 0 ? "" : sign) + value.toFixed(digits);
  const { low, high } = figure.interval;
  return `${text(figure.value)} [${text(low)}, ${text(high)}]`;
}

/** How long the clients pause; several keep step where their pauses are alike. */
function pauseText({ connections, pauseMs, spreadMs }: LatencyPlan): string {
  if (spreadMs !== undefined) return `apart, pauses of ${pauseMs} to ${pauseMs + spreadMs} ms`;
  return `${connections === 1 ? "" : "in step, "}pause ${pauseMs} ms`;
}

/** One latency table, with its heading. */
export function latencyLines({ plan, rows }: LatencySummary): string[] {
  const connections = plan.connections === 1 ? "1 connection" : `${plan.connections} connections`;
  const header = ["target", "calls", "p50 ms", "p95 ms", "p99 ms"];
  header.push("added p50 us", "p95 to direct", "added to nginx's");
  return [
    `latency: upstream ${plan.serviceMs} ms, ${connections}, ${pauseText(plan)}, ` +
    `${plan.rounds} rounds of ${plan.calls} calls`,
    ...alignedTable([
      header,
      ...rows.map((row) => [
        row.target,
        String(row.calls),
        row.p50Ms.toFixed(3),
        row.p95Ms.toFixed(3),
        row.p99Ms.toFixed(3),
        estimate(row.addedP50Us, 0, "+"),
        estimate(row.p95Ratio, 3),
        estimate(row.addedToScale, 2),
      ]),
    ]),
  ];
}

/** The table of revisions, with its heading, and of what kinds the requests are where a call has several. */
export function eraLines({ plan, rows }: EraSummary): string[] {
  const header = ["target", "calls", "p50 ms", "p95 ms", "added p50 us", "added p95 us"];
  header.push("p50 to same era's", "requests a call");
  const others = rows.filter(({ asked }) => Object.keys(asked).length > 1);
  return [
    `eras: client and server of one revision or two, upstream ${plan.serviceMs} ms, 1 connection, ` +
    `pause ${plan.pauseMs} ms, ${plan.rounds} rounds of ${plan.calls} calls`,
    ...alignedTable([
      header,
      ...rows.map((row) => [
        row.target,
        String(row.calls),
        row.p50Ms.toFixed(3),
        row.p95Ms.toFixed(3),
        estimate(row.addedP50Us, 0, "+"),
        estimate(row.addedP95Us, 0, "+"),
        estimate(row.addedToScale, 2),
        requestsPerCall(row).toFixed(3),
      ]),
    ]),
    ...others.map(({ target, asked, calls }) => {
      const each = Object.entries(asked).map(([what, count]) =>
        `${what} ${(count / calls).toFixed(3)}`
      );
      return `${target} asks for more beside and behind its calls; for each: ${each.join(", ")}`;
    }),
  ];
}

/** The table of first events, with its heading. */
export function firstEventLines({ plan, rows }: LatencySummary): string[] {
  return [
    `first-event: from the call to the first event, upstream 0 ms, 1 connection, ` +
    `pause ${plan.pauseMs} ms, ${plan.rounds} rounds of ${plan.calls} calls`,
    ...alignedTable([
      ["target", "calls", "p50 ms", "p95 ms", "added p50 us", "added p95 us", "p50 to nginx's"],
      ...rows.map((row) => [
        row.target,
        String(row.calls),
        row.p50Ms.toFixed(3),
        row.p95Ms.toFixed(3),
        estimate(row.addedP50Us, 0, "+"),
        estimate(row.addedP95Us, 0, "+"),
        estimate(row.addedToScale, 2),
      ]),
    ]),
  ];
}

/** One table of rates, with its heading. */
export function rateLines(heading: string, unit: string, rows: readonly RateRow[]): string[] {
  return [
    heading,
    ...alignedTable([
      ["target", unit, `${unit}/s`, "to nginx", "to direct"],
      ...rows.map((row) => [
        row.target,
        String(row.count),
        row.perSecond.toFixed(0),
        estimate(row.toNginx, 2),
        estimate(row.toDirect, 2),
      ]),
    ]),
  ];
}

function mebibytes(kibibytes: number): string {
  return (kibibytes / 1024).toFixed(1);
}

/** The table of memory, with its heading. */
export function rssLines({ streams, rows }: RssSummary): string[] {
  return [
    `rss: ${streams} idle event streams through each target, in a process just started`,
    ...alignedTable([
      ["target", "before MiB", "open MiB", "closed MiB", "KiB a stream"],
      ...rows.map((row) => [
        row.target,
        mebibytes(row.beforeKiB),
        mebibytes(row.openKiB),
        mebibytes(row.closedKiB),
        row.perStreamKiB.toFixed(1),
      ]),
    ]),
  ];
}

/** The table of large events, with its heading. */
export function drippedLines({ plan, rows }: DrippedSummary): string[] {
  return [
    `dripped: one event in chunks of one byte, ${plan.rounds} of each size, in a process just started`,
    ...alignedTable([
      ["target", "MiB", "median ms", "ms per MiB", "to smallest", "peak grown MiB"],
      ...rows.map((row) => [
        row.target,
        mebibytes(row.sizeKiB),
        row.medianMs.toFixed(1),
        row.msPerMiB.toFixed(1),
        row.toSmallest.toFixed(2),
        row.grownKiB === undefined ? "-" : mebibytes(row.grownKiB),
      ]),
    ]),
  ];
}

/** The table of stalled readers, with its heading. */
export function stalledLines({ stalledMs, rows }: StalledSummary): string[] {
  return [
    `stalled: an endless stream of which nothing is read for ${stalledMs} ms; most memory, grown by`,
    ...alignedTable([
      ["target", "before MiB", "first half MiB", "second half MiB", "client gone MiB"],
      ...rows.map(({ target, beforeKiB, firstHalfKiB, secondHalfKiB, goneKiB }) => [
        target,
        mebibytes(beforeKiB),
        ...[firstHalfKiB, secondHalfKiB, goneKiB].map((most) => mebibytes(most - beforeKiB)),
      ]),
    ]),
  ];
}

/** The whole report as text. */
export function reportLines(report: Report): string[] {
  const { facts } = report;
  const lines = [
    `Deno ${facts.deno}, ${facts.platform}, ${facts.cores} cores, ` +
    `load average ${facts.loadAverage.toFixed(2)} before the run`,
    ...(facts.foreignUrl === undefined ? [] : [`foreign: ${facts.foreignUrl}`]),
    ...facts.skipped,
  ];
  for (const summary of report.latency ?? []) lines.push("", ...latencyLines(summary));
  if (report.throughput !== undefined) {
    const heading = `throughput: ${THROUGHPUT_CONNECTIONS} connections, closed loop, upstream 0 ms`;
    lines.push("", ...rateLines(heading, "requests", report.throughput));
  }
  if (report.eras !== undefined) lines.push("", ...eraLines(report.eras));
  for (const { plan, rows } of report.sse ?? []) {
    const writes = plan.writeBytes === 1
      ? "one event a write"
      : `writes of ${plan.writeBytes} bytes`;
    const heading = `sse: POST answered by ${plan.events} events, ${writes}, 1 connection`;
    lines.push("", ...rateLines(heading, "events", rows));
  }
  if (report.firstEvent !== undefined) lines.push("", ...firstEventLines(report.firstEvent));
  for (const summary of report.rss ?? []) lines.push("", ...rssLines(summary));
  if (report.dripped !== undefined) lines.push("", ...drippedLines(report.dripped));
  if (report.stalled !== undefined) lines.push("", ...stalledLines(report.stalled));
  lines.push("", ...goalLines(report, facts.candidates));
  lines.push(
    "",
    "[a, b]: 95 % bootstrap interval over rounds. The client, the mock and every target share this",
    "machine: absolute times say nothing about another one. Compare the ratios of one run alone.",
    `repeat: ${facts.command}`,
  );
  return lines;
}
