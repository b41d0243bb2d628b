/**
 * The flags, as a table.
 *
 * @module
 */

import { USUAL_ROUNDS } from "../latency/mod.ts";
import { ASSUMPTIONS, GROUPS } from "../suite/mod.ts";

/** One flag. */
export interface Flag {
  readonly name: string;
  /** What its value is, in one word; absent for a switch. */
  readonly value?: string;
  readonly help: string;
  /** For numbers: the bounds, and what it is where it is not given. */
  readonly number?: { readonly least: number; readonly most: number; readonly usual: number };
}

/** A flag that takes a number. */
export type NumberFlag = Flag & Required<Pick<Flag, "number">>;

/** Formats of reports. */
export const REPORT_FORMATS = ["pretty", "junit", "json", "markdown"] as const;

/** The format of a report. */
export type ReportFormat = typeof REPORT_FORMATS[number];

function number(
  name: string,
  usual: number,
  least: number,
  most: number,
  help: string,
): NumberFlag {
  return { name, value: "N", help: `${help} (${usual})`, number: { least, most, usual } };
}

/** All flags, in the order of the help. */
export const FLAGS = {
  target: {
    name: "target",
    value: "URL",
    help: "MCP endpoint of a proxy that runs; without it this repository's own is started",
  },
  sseTarget: {
    name: "sse-target",
    value: "URL",
    help: "where that proxy serves HTTP+SSE of 2024-11-05 (/sse of the target)",
  },
  upstreamPort: number("upstream-port", 0, 0, 65_535, "port of the mock that it forwards to"),
  upstreamHost: {
    name: "upstream-host",
    value: "ADDRESS",
    help: "address the mock listens on (127.0.0.1)",
  },
  assume: {
    name: "assume",
    value: "LIST",
    help: `what it is set up with, of ${Object.keys(ASSUMPTIONS).join(",")}`,
  },
  expected: { name: "expected", value: "FILE", help: "failures that are expected, as JSON" },
  filter: { name: "filter", value: "TEXT", help: "checks and cases with this in their id" },
  group: {
    name: "group",
    value: "NAME",
    help: `checks of one group: ${Object.keys(GROUPS).join(", ")}`,
  },
  revision: { name: "revision", value: "DATE", help: "cases about one revision" },
  report: {
    name: "report",
    value: "FORMAT[=FILE]",
    help: `${REPORT_FORMATS.join(", ")}; may be given more than once (pretty)`,
  },
  patience: number("patience", 5_000, 100, 600_000, "milliseconds that anything may take"),
  pace: number("pace", 0, 0, 1_000, "percent of the recorded times that replays take"),
  rounds: number("rounds", USUAL_ROUNDS, 2, 10_000, "rounds of the judged latency table"),
  seed: number("seed", 1, 0, 0xffff_ffff, "seed of the order of targets and of the bootstrap"),
  noLatency: { name: "no-latency", help: "leaves out what takes quiet and time" },
  list: { name: "list", help: "lists checks and cases, and runs nothing" },
  help: { name: "help", help: "this text" },
} as const satisfies Readonly<Record<string, Flag>>;

/** The text of `--help`. */
export function usage(): string {
  const lines = Object.values<Flag>(FLAGS).map(({ name, value, help }) => {
    const left = `  --${name}${value === undefined ? "" : ` ${value}`}`;
    return left.length < 26 ? `${left.padEnd(26)}${help}` : `${left}\n${" ".repeat(26)}${help}`;
  });
  return [
    "Judges an MCP proxy from outside, with a mock server behind it.",
    "",
    "  deno task conformance                    this repository's proxy",
    "  deno task conformance -- --target http://127.0.0.1:8080/mcp --upstream-port 9000",
    "                                           yours, set up to forward to http://127.0.0.1:9000/mcp",
    "",
    "Flags:",
    ...lines,
    "",
    "Assumptions:",
    ...Object.entries(ASSUMPTIONS).map(([name, text]) => `  ${name}: ${text}`),
    "",
    "Exit code: 0 all as expected, 1 a check failed or the target could not be tested, 2 wrong flags.",
  ].join("\n");
}
