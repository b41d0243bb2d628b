/**
 * The flags, read and checked.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { type ConfigProblem, didYouMean, OVERRIDE_NAMES, type Overrides } from "../config/mod.ts";

/** The commands. */
export const COMMANDS = ["start", "serve", "check-config"] as const;

/** The name of a command. */
export type CommandName = typeof COMMANDS[number];

/** A command line, understood. */
export interface CommandLine {
  readonly command: CommandName;
  readonly help: boolean;
  readonly version: boolean;
  /** The value of `--config`. */
  readonly file: string | undefined;
  readonly flags: Overrides;
}

const VALUE_FLAGS = ["listen", "upstream", "path", "admin", "config", "log-level"];
const SWITCHES = ["help", "version", "allow-public-bind"];
const ALL_FLAGS = [...VALUE_FLAGS, ...SWITCHES].map((name) => `--${name}`);

/** What is understood of a command line, or everything that is wrong with it. */
export function readCommandLine(args: readonly string[]): CommandLine | ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  // `deno task start -- --upstream URL` hands the `--` on.
  const own = args.filter((arg) => arg !== "--");
  const parsed = parseArgs(own, {
    string: VALUE_FLAGS,
    boolean: SWITCHES,
    alias: { h: "help", V: "version" },
    unknown: (arg, key) => {
      if (key === undefined) return true;
      const flag = arg.split("=", 1)[0]!;
      problems.push({
        path: flag,
        found: "a flag that does not exist",
        wanted: `a known flag: ${didYouMean(flag, ALL_FLAGS)}`,
      });
      return false;
    },
  });
  const command = commandOf(parsed._.map(String), problems);
  const values = new Map(VALUE_FLAGS.map((name) => [name, valueOf(parsed[name], name, problems)]));
  if (problems.length > 0) return problems;
  return {
    command,
    help: parsed.help === true,
    version: parsed.version === true,
    file: values.get("config"),
    flags: toOverrides(values, parsed["allow-public-bind"] === true),
  };
}

function commandOf(words: readonly string[], problems: ConfigProblem[]): CommandName {
  const [word = "start", ...rest] = words;
  const command = COMMANDS.find((name) => name === word);
  if (command === undefined) {
    problems.push({
      path: "command",
      found: JSON.stringify(word),
      wanted: `a known command: ${didYouMean(word, COMMANDS)}`,
    });
  }
  if (rest.length > 0) {
    problems.push({
      path: "command",
      found: `${JSON.stringify(rest.join(" "))} behind it`,
      wanted: "flags alone; an upstream is given with --upstream URL",
    });
  }
  return command ?? "start";
}

function valueOf(value: unknown, name: string, problems: ConfigProblem[]): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && value !== "") return value;
  problems.push({ path: `--${name}`, found: "no value", wanted: `a value: --${name} VALUE` });
  return undefined;
}

function toOverrides(
  values: ReadonlyMap<string, string | undefined>,
  allowPublicBind: boolean,
): Overrides {
  const overrides: Record<string, string | boolean> = {};
  for (const [key, { flag }] of Object.entries(OVERRIDE_NAMES)) {
    const value = values.get(flag.slice(2));
    if (value !== undefined) overrides[key] = value;
  }
  if (allowPublicBind) overrides.allowPublicBind = true;
  return overrides;
}

/** What `--help` prints. */
export const USAGE = `Switchyard, an MCP reverse proxy

Usage:
  switchyard [start] [flags]         the proxy, in front of the reference server unless told otherwise
  switchyard serve [flags]           the proxy, in front of the upstream you name
  switchyard check-config [flags]    says what is wrong with a config, or that nothing is

Flags:
  --upstream URL          MCP endpoint of the server behind the proxy
  --path PATH             path of the endpoint that clients use      (default /mcp)
  --listen HOST:PORT      address for clients; port 0 picks one      (default 127.0.0.1:3100)
  --admin HOST:PORT|off   address for health and status
                          (default: start 127.0.0.1:3101, serve off)
  --config FILE           JSON or JSONC file with routes and limits
  --log-level LEVEL       debug, info, warn, error or silent         (default info)
  --allow-public-bind     allow an address that other machines can reach
  --version, --help

Each flag but --help and --version also has a variable: SWITCHYARD_UPSTREAM, SWITCHYARD_LOG_LEVEL ...
A flag outweighs its variable, which outweighs the file.`;
