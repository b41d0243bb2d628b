/**
 * The flags, read and checked.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { closestString } from "@std/text/closest-string";
import { REVISIONS } from "../../fixtures/format/mod.ts";
import type { Selection } from "../runner/mod.ts";
import { type Assumption, ASSUMPTIONS, type Group, GROUPS, type Target } from "../suite/mod.ts";
import { type Flag, FLAGS, type NumberFlag, REPORT_FORMATS, type ReportFormat } from "./flags.ts";

/** A report that was asked for. */
export interface ReportOption {
  readonly format: ReportFormat;
  /** Where it goes; stdout where it is absent. */
  readonly file?: string;
}

/** What was asked for. */
export interface Options {
  readonly kind: "run" | "list";
  /** Absent for this repository's own proxy. */
  readonly target?: Target;
  readonly upstream: { readonly hostname: string; readonly port: number };
  /** Absent where the flag was not given. */
  readonly assume?: readonly Assumption[];
  /** Absent where the flag was not given. */
  readonly expectedFile?: string;
  readonly selection: Selection;
  readonly reports: readonly ReportOption[];
  readonly patienceMs: number;
  /** Percent of the recorded times that replays take. */
  readonly pace: number;
  readonly rounds: number;
  readonly seed: number;
  /** The flags that say which target it is, as they were given. */
  readonly targetFlags: readonly string[];
}

/** What was understood of a command line. */
export type CommandLine = Options | { readonly kind: "help" } | {
  readonly kind: "problems";
  readonly problems: readonly string[];
};

type Given = Readonly<Record<string, unknown>>;

/** Understands a command line, or tells everything that is wrong with it. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const problems: string[] = [];
  const given = parse(args, problems);
  if (given[FLAGS.help.name] === true) return { kind: "help" };
  for (const flag of Object.values<Flag>(FLAGS)) requireValue(flag, given, problems);
  const target = targetOf(given, problems);
  const assume = assumeOf(textOf(given, FLAGS.assume), problems);
  const expectedFile = textOf(given, FLAGS.expected);
  const options: Options = {
    kind: given[FLAGS.list.name] === true ? "list" : "run",
    ...(target === undefined ? {} : { target }),
    upstream: {
      hostname: textOf(given, FLAGS.upstreamHost) ?? "127.0.0.1",
      port: numberOf(given, FLAGS.upstreamPort, problems),
    },
    ...(assume === undefined ? {} : { assume }),
    ...(expectedFile === undefined ? {} : { expectedFile }),
    selection: {
      filter: textOf(given, FLAGS.filter),
      group: oneOf(given, FLAGS.group, Object.keys(GROUPS) as Group[], problems),
      revision: oneOf(given, FLAGS.revision, REVISIONS, problems),
      latency: given[FLAGS.noLatency.name] !== true,
    },
    reports: reportsOf(given[FLAGS.report.name], problems),
    patienceMs: numberOf(given, FLAGS.patience, problems),
    pace: numberOf(given, FLAGS.pace, problems),
    rounds: numberOf(given, FLAGS.rounds, problems),
    seed: numberOf(given, FLAGS.seed, problems),
    targetFlags: targetFlagsOf(given),
  };
  return problems.length > 0 ? { kind: "problems", problems } : options;
}

function parse(args: readonly string[], problems: string[]): Given {
  const flags = Object.values<Flag>(FLAGS);
  const names = flags.map(({ name }) => `--${name}`);
  // `deno task conformance -- --list` hands the `--` on.
  const parsed = parseArgs(args.filter((arg) => arg !== "--" && arg !== ""), {
    string: flags.filter(({ value }) => value !== undefined).map(({ name }) => name),
    boolean: flags.filter(({ value }) => value === undefined).map(({ name }) => name),
    collect: [FLAGS.report.name],
    alias: { h: FLAGS.help.name },
    unknown: (arg, key) => {
      const flag = arg.split("=", 1)[0]!;
      problems.push(
        key === undefined
          ? `${arg}: no flag; everything is said with flags, see --help`
          : `${flag}: no such flag; did you mean ${closestString(flag, names)}?`,
      );
      return false;
    },
  });
  return parsed;
}

function requireValue({ name, value }: Flag, given: Given, problems: string[]): void {
  const found = [given[name]].flat();
  if (value !== undefined && found.includes("")) problems.push(`--${name}: takes ${value}`);
}

function textOf(given: Given, { name }: Flag): string | undefined {
  const found = given[name];
  return typeof found === "string" && found !== "" ? found : undefined;
}

function numberOf(given: Given, flag: NumberFlag, problems: string[]): number {
  const text = textOf(given, flag);
  const { least, most, usual } = flag.number;
  if (text === undefined) return usual;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  problems.push(`--${flag.name}: ${JSON.stringify(text)} is not from ${least} to ${most}`);
  return usual;
}

function oneOf<T extends string>(
  given: Given,
  flag: Flag,
  allowed: readonly T[],
  problems: string[],
): T | undefined {
  const text = textOf(given, flag);
  const found = allowed.find((one) => one === text);
  if (text !== undefined && found === undefined) problems.push(noneOf(flag.name, text, allowed));
  return found;
}

function noneOf(flag: string, text: string, allowed: readonly string[]): string {
  const near = closestString(text, allowed);
  return `--${flag}: there is no ${JSON.stringify(text)}; did you mean ${near}? ` +
    `(${allowed.join(", ")})`;
}

function assumeOf(text: string | undefined, problems: string[]): Assumption[] | undefined {
  if (text === undefined) return undefined;
  const allowed = Object.keys(ASSUMPTIONS) as Assumption[];
  const names = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
  for (const name of names) {
    if (!allowed.some((one) => one === name)) {
      problems.push(noneOf(FLAGS.assume.name, name, allowed));
    }
  }
  return allowed.filter((one) => names.includes(one));
}

function targetOf(given: Given, problems: string[]): Target | undefined {
  const url = urlOf(given, FLAGS.target, problems);
  const sse = urlOf(given, FLAGS.sseTarget, problems);
  if (url === undefined) {
    if (sse !== undefined) problems.push("--sse-target: goes with --target");
    if (textOf(given, FLAGS.assume) !== undefined) problems.push("--assume: goes with --target");
    return undefined;
  }
  if (textOf(given, FLAGS.upstreamPort) === undefined) {
    problems.push("--target: goes with --upstream-port, the port that the proxy forwards to");
  }
  return { url, sseUrl: sse ?? new URL("/sse", url) };
}

function urlOf(given: Given, flag: Flag, problems: string[]): URL | undefined {
  const text = textOf(given, flag);
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  problems.push(`--${flag.name}: ${JSON.stringify(text)} is no http: or https: URL`);
  return undefined;
}

function reportsOf(given: unknown, problems: string[]): ReportOption[] {
  const texts = [given ?? []].flat().map(String).filter((text) => text !== "");
  if (texts.length === 0) return [{ format: "pretty" }];
  return texts.flatMap((text) => {
    const [, name = "", file] = /^([^=]*)(?:=(.*))?$/.exec(text) ?? [];
    const format = REPORT_FORMATS.find((one) => one === name);
    if (format === undefined) problems.push(noneOf(FLAGS.report.name, name, REPORT_FORMATS));
    if (file === "") problems.push(`--${FLAGS.report.name}: ${text} names no file`);
    if (format === undefined) return [];
    return [{ format, ...(file === undefined ? {} : { file }) }];
  });
}

const OF_TARGET: readonly Flag[] = [
  FLAGS.target,
  FLAGS.sseTarget,
  FLAGS.upstreamPort,
  FLAGS.upstreamHost,
  FLAGS.assume,
  FLAGS.expected,
  FLAGS.patience,
];

function targetFlagsOf(given: Given): string[] {
  return OF_TARGET.flatMap((flag) => {
    const text = textOf(given, flag);
    return text === undefined ? [] : [`--${flag.name}`, text];
  });
}
