/** The flags: parsed, checked, and written back as the command that repeats a run. */

import { parseArgs } from "@std/cli/parse-args";
import { type Mode, MODES } from "./modes.ts";

/** Sections of the bench, in the order they run. */
export const SECTIONS = [
  "latency",
  "throughput",
  "eras",
  "sse",
  "first-event",
  "rss",
  "dripped",
  "stalled",
] as const;

/** One section. */
export type Section = typeof SECTIONS[number];

/** HTTP clients that the proxy could have in place of its own connections. */
export const CANDIDATES = ["undici", "fetch", "denoserve"] as const;

/** Targets that the bench starts by itself, beside the mock. */
export const STARTED_TARGETS = ["proxy", "nginx", ...CANDIDATES] as const;

/** One of them. */
export type StartedTarget = typeof STARTED_TARGETS[number];

const USUAL_TARGETS: readonly StartedTarget[] = ["proxy", "nginx"];

interface NumberFlag {
  readonly flag: string;
  readonly least: number;
  readonly most: number;
  readonly usual: string;
  readonly help: string;
}

function flag(name: string, least: number, most: number, usual: string, help: string): NumberFlag {
  return { flag: name, least, most, usual, help };
}

/** Flags of one number. */
const NUMBERS = {
  pauseMs: flag("pause-ms", 0, 10_000, "2", "latency, first-event, eras: pause before each call"),
  rounds: flag(
    "rounds",
    10,
    100_000,
    "100",
    "latency, first-event, eras: rounds of a block of calls",
  ),
  calls: flag("calls", 1, 1000, "5", "latency, first-event, eras: calls in a block"),
  erasServiceMs: flag("eras-service-ms", 0, 10_000, "0", "eras: how long the upstream takes"),
  slices: flag("slices", 2, 1000, "12", "throughput: slices of 250 ms for each target"),
  streamRounds: flag("stream-rounds", 2, 1000, "10", "sse: rounds of some 100 ms for each target"),
  events: flag("events", 1, 1_000_000, "50000", "sse: events in a stream"),
  drippedRounds: flag("dripped-rounds", 1, 100, "5", "dripped: events of each size"),
  // A client that takes nothing for a minute is dropped by the proxy.
  stalledMs: flag("stalled-ms", 200, 50_000, "10000", "stalled: how long nothing is read"),
  seed: flag("seed", 0, 0xffff_ffff, "1", "seed of the order of targets and of the bootstrap"),
  upstreamPort: flag("upstream-port", 0, 65_535, "0", "port of the mock upstream; 0: any free one"),
} as const;

/** Flags of numbers with commas between, one table for each. */
const LISTS = {
  connections: flag("connections", 1, 256, "1,8", "latency: connections, each with a session"),
  serviceMs: flag("service-ms", 0, 10_000, "0,5,20", "latency: how long the upstream takes"),
  writeBytes: flag("write-bytes", 1, 1_048_576, "16384,1", "sse: size of a write; 1: one event"),
  idleStreams: flag("idle-streams", 10, 15_000, "1000,5000", "rss: streams through each target"),
  drippedKib: flag("dripped-kib", 1, 16_000, "1024,2560,5120,10240", "dripped: sizes of the event"),
} as const;

/** What to run, with every bound. */
export interface Options
  extends
    Readonly<Record<keyof typeof NUMBERS, number>>,
    Readonly<Record<keyof typeof LISTS, readonly number[]>> {
  readonly sections: readonly Section[];
  readonly targets: readonly StartedTarget[];
  readonly modes: readonly Mode[];
  readonly proxyUrl: string | undefined;
  /** A folder with another checkout of this proxy. */
  readonly tree: string | undefined;
  readonly json: boolean;
}

/** The options, or every problem found, or a wish to read the usage. */
export type Parsed =
  | { readonly kind: "options"; readonly options: Options }
  | { readonly kind: "problems"; readonly problems: readonly string[] }
  | { readonly kind: "help" };

/** The text of `--help`. */
export function usage(): string {
  const line = (name: string, help: string): string => `  ${name.padEnd(22)}${help}`;
  const numeric = (kind: string) => ({ flag, help, usual }: NumberFlag): string =>
    line(`--${flag} ${kind}`, `${help} (${usual})`);
  return [
    "deno task bench [flags]",
    line("--only LIST", `of ${SECTIONS.join(",")} (all)`),
    line("--targets LIST", `of ${STARTED_TARGETS.join(",")}, beside direct (${USUAL_TARGETS})`),
    line("--modes LIST", `of ${MODES.join(",")}: the proxy in the sections of streams (all)`),
    line(
      "--candidates",
      `${CANDIDATES.join(", ")} too: the same proxy on another client or server`,
    ),
    line("--tree DIR", "one more: another checkout of this proxy, to measure a change in turns"),
    line("--proxy-url URL", "one more: a proxy that runs already, before --upstream-port"),
    ...Object.values(LISTS).map(numeric("LIST")),
    ...Object.values(NUMBERS).map(numeric("N")),
    line("--json", "a JSON document in place of the tables"),
  ].join("\n");
}

function named(text: unknown): string[] {
  return String(text).split(",").map((name) => name.trim()).filter((name) => name !== "");
}

function choose<T extends string>(
  name: string,
  text: unknown,
  allowed: readonly T[],
  usual: readonly T[],
  problems: string[],
): readonly T[] {
  if (text === undefined) return usual;
  const chosen = named(text);
  for (const one of chosen) {
    if (allowed.some((other) => other === one)) continue;
    problems.push(`--${name}: ${JSON.stringify(one)} is none of ${allowed.join(", ")}`);
  }
  return allowed.filter((one) => chosen.includes(one));
}

/** The numbers in a flag's text; only milliseconds may be broken. */
function numbersOf(spec: NumberFlag, text: unknown, problems: string[]): number[] {
  const { flag, least, most, usual } = spec;
  const whole = !flag.endsWith("-ms");
  return named(text ?? usual).map((part) => {
    const value = Number(part);
    if (!(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      problems.push(`--${flag}: ${JSON.stringify(part)} is not from ${least} to ${most}`);
    }
    return value;
  });
}

function numberOf(spec: NumberFlag, text: unknown, problems: string[]): number {
  const values = numbersOf(spec, text, problems);
  if (values.length !== 1) problems.push(`--${spec.flag}: takes one number`);
  return values[0] ?? NaN;
}

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

function proxyUrlOf(text: unknown, problems: string[]): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(String(text)) ? new URL(String(text)) : undefined;
  if (url?.protocol !== "http:" || !LOOPBACK.has(url.hostname)) {
    problems.push(`--proxy-url: ${JSON.stringify(text)} is not an http: URL on loopback`);
  }
  return String(text);
}

function mapValues<K extends string, T>(
  specs: Readonly<Record<K, NumberFlag>>,
  read: (spec: NumberFlag) => T,
): Record<K, T> {
  const entries = Object.entries<NumberFlag>(specs).map(([key, spec]) => [key, read(spec)]);
  return Object.fromEntries(entries) as Record<K, T>;
}

/** Parses the flags, and reports every problem at once. */
export function parseOptions(argv: readonly string[]): Parsed {
  const problems: string[] = [];
  // `deno task bench -- --json` passes the dashes on, and what follows them would be no flag.
  const args = argv[0] === "--" ? argv.slice(1) : argv;
  const numeric = [...Object.values(NUMBERS), ...Object.values(LISTS)];
  const given = parseArgs(args, {
    string: ["only", "targets", "modes", "tree", "proxy-url", ...numeric.map((spec) => spec.flag)],
    boolean: ["candidates", "json", "help"],
    unknown: (arg) => {
      problems.push(`${arg}: no such flag; --help names them`);
      return false;
    },
  });
  if (given["help"] === true) return { kind: "help" };
  const chosen = choose("targets", given["targets"], STARTED_TARGETS, USUAL_TARGETS, problems);
  const candidates: readonly StartedTarget[] = given["candidates"] === true ? CANDIDATES : [];
  const options: Options = {
    ...mapValues(NUMBERS, (spec) => numberOf(spec, given[spec.flag], problems)),
    ...mapValues(LISTS, (spec) => numbersOf(spec, given[spec.flag], problems)),
    sections: choose("only", given["only"], SECTIONS, SECTIONS, problems),
    targets: STARTED_TARGETS.filter((one) => chosen.includes(one) || candidates.includes(one)),
    modes: choose("modes", given["modes"], MODES, MODES, problems),
    proxyUrl: proxyUrlOf(given["proxy-url"], problems),
    tree: given["tree"] === undefined ? undefined : String(given["tree"]),
    json: given["json"] === true,
  };
  return problems.length > 0 ? { kind: "problems", problems } : { kind: "options", options };
}

/** The command that repeats a run: what differs from the usual, and always the seed. */
export function repeatCommand(options: Options): string {
  const parts = ["deno task bench"];
  const add = (name: string, value: unknown, usual: unknown): void => {
    if (String(value) !== String(usual)) parts.push(`--${name}=${value}`);
  };
  add("only", options.sections, SECTIONS);
  if (String(options.targets) === String(STARTED_TARGETS)) parts.push("--candidates");
  else add("targets", options.targets, USUAL_TARGETS);
  add("modes", options.modes, MODES);
  add("tree", options.tree, undefined);
  add("proxy-url", options.proxyUrl, undefined);
  for (const key of Object.keys(LISTS) as (keyof typeof LISTS)[]) {
    add(LISTS[key].flag, options[key], LISTS[key].usual);
  }
  for (const key of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    add(NUMBERS[key].flag, options[key], key === "seed" ? undefined : NUMBERS[key].usual);
  }
  return parts.join(" ");
}
