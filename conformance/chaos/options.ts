/**
 * The flags of the chaos test.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { type FaultKind, FAULTS } from "./faults.ts";

/** What a run is told to do. */
export interface Options {
  /** How long targets are disturbed, in seconds. */
  readonly seconds: number;
  readonly clients: number;
  readonly seed: number;
  /** Reloads of the config in that time. */
  readonly reloads: number;
  /** Targets of each route; 1 names the server by `url` alone. */
  readonly targets: number;
  readonly faults: readonly FaultKind[];
  /** Kinds of clients; empty for all. */
  readonly only: readonly string[];
  /** Longest and shortest time between two calls of a client, in milliseconds. */
  readonly thinkMs: readonly [number, number];
  /** The proxy's longest wait for the head of an answer, in milliseconds: a fault may be longer. */
  readonly headersTimeoutMs: number;
  /** File for the report as JSON. */
  readonly json: string | undefined;
}

/** What is done where nothing is said. */
export const DEFAULTS: Options = {
  seconds: 60,
  clients: 200,
  seed: 20_261_121,
  reloads: 20,
  targets: 3,
  faults: FAULTS,
  only: [],
  thinkMs: [400, 3_000],
  headersTimeoutMs: 3_000,
  json: undefined,
};

/** What `--help` says. */
export const USAGE = `deno task chaos -- [flags]

  --seconds N    how long targets are disturbed (60)
  --clients N    clients at one time (200)
  --seed N       what happens when, and who does what (${DEFAULTS.seed})
  --reloads N    reloads of the config meanwhile (20)
  --targets N    targets of each route; 1 names the server by its url alone (3)
  --faults LIST  some of ${FAULTS.join(",")}, or none (all)
  --only LIST    some kinds of clients (all)
  --json FILE    the report as JSON
`;

/** Numbers and the least that each may be. */
const NUMBERS = { seconds: 1, clients: 1, seed: 0, reloads: 0, targets: 1 } as const;

/**
 * Reads flags.
 *
 * @returns what to do, or undefined where help is wanted
 * @throws {Error} in one sentence, where a flag is wrong
 */
export function readOptions(args: readonly string[]): Options | undefined {
  const flags = parseArgs(args.filter((arg) => arg !== "--"), {
    string: [...Object.keys(NUMBERS), "faults", "only", "json"],
    boolean: ["help"],
    unknown: (arg) => {
      throw new Error(`${arg} is no flag of the chaos test; --help names them`);
    },
  });
  if (flags["help"] === true) return undefined;
  const number = (name: keyof typeof NUMBERS): number => {
    const text = flags[name];
    if (text === undefined) return DEFAULTS[name];
    if (/^\d{1,10}$/.test(String(text)) && Number(text) >= NUMBERS[name]) return Number(text);
    throw new Error(`--${name} is ${text}, and has to be a whole number from ${NUMBERS[name]}`);
  };
  const list = (name: string) => String(flags[name] ?? "").split(",").filter((item) => item !== "");
  return {
    ...DEFAULTS,
    seconds: number("seconds"),
    clients: number("clients"),
    seed: number("seed"),
    reloads: number("reloads"),
    targets: number("targets"),
    faults: flags["faults"] === undefined ? FAULTS : faultsIn(list("faults")),
    only: list("only"),
    json: flags["json"] as string | undefined,
  };
}

function faultsIn(names: readonly string[]): FaultKind[] {
  if (names.join() === "none") return [];
  return names.map((name) => {
    const fault = FAULTS.find((known) => known === name);
    if (fault === undefined) throw new Error(`--faults names ${name}, known are ${FAULTS}`);
    return fault;
  });
}
