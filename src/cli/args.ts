/**
 * The flags, read and checked.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { type ConfigProblem, didYouMean, OVERRIDE_NAMES, type Overrides } from "../config/mod.ts";

/** The commands. */
export const COMMANDS = ["start", "serve", "stdio", "record", "check-config", "new-key"] as const;

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
  /** The values of `--header`, as they were given. */
  readonly headers: readonly string[];
  /** The flags of `record`; `new-key` has `name` too. */
  readonly recording: RecordFlags;
}

/** What `record` is told. */
export interface RecordFlags {
  /** The folder of the fixture. */
  readonly out: string | undefined;
  /** The file of the HTTP archive. */
  readonly har: string | undefined;
  readonly name: string | undefined;
  readonly title: string | undefined;
  readonly maxBytes: string | undefined;
  /** Whether what is there already may be replaced. */
  readonly force: boolean;
}

/** Flags of every command that listens. */
const COMMON_FLAGS = ["listen", "upstream", "log-level"];
const ROUTE_FLAGS = ["stdio", "transport", "header", "path", "config", "record", "data-dir"];
const PROXY_FLAGS = [...ROUTE_FLAGS, "admin"];
const RECORD_FLAGS = ["out", "har", "name", "title", "max-bytes"];
const VALUE_FLAGS = [...COMMON_FLAGS, ...PROXY_FLAGS, ...RECORD_FLAGS];
const SWITCHES = ["help", "version", "allow-public-bind", "force"];

const RUN_FLAGS: readonly string[] = [...COMMON_FLAGS, ...PROXY_FLAGS, "allow-public-bind"];

/** The flags of each command, beside --help and --version. */
const FLAGS_OF: Readonly<Record<CommandName, readonly string[]>> = {
  start: RUN_FLAGS,
  serve: RUN_FLAGS,
  stdio: ["upstream", "log-level", ...ROUTE_FLAGS],
  record: [...COMMON_FLAGS, ...RECORD_FLAGS, "force"],
  "check-config": RUN_FLAGS,
  "new-key": ["name"],
};

const ALL_FLAGS = [...VALUE_FLAGS, ...SWITCHES].map((name) => `--${name}`);

/** What is understood of a command line, or everything that is wrong with it. */
export function readCommandLine(args: readonly string[]): CommandLine | ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  // `deno task start -- --upstream URL` hands the `--` on.
  const own = args.filter((arg) => arg !== "--");
  const parsed = parseArgs(own, {
    string: VALUE_FLAGS,
    collect: ["header", "upstream"],
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
  problems.push(...misplaced(command, parsed));
  const upstreams = (parsed.upstream as string[] | undefined ?? []).map((value) =>
    valueOf(value, "upstream", problems)
  ).filter((value) => value !== undefined);
  if (command === "record" && upstreams.length > 1) {
    problems.push({ path: "--upstream", found: "several", wanted: "one server to record" });
  }
  const single = VALUE_FLAGS.filter((name) => name !== "header" && name !== "upstream");
  const values = new Map(single.map((name) => [name, valueOf(parsed[name], name, problems)]));
  if (problems.length > 0) return problems;
  return {
    command,
    help: parsed.help === true,
    version: parsed.version === true,
    file: values.get("config"),
    flags: toOverrides(values, upstreams, parsed["allow-public-bind"] === true),
    headers: parsed.header as string[] | undefined ?? [],
    recording: {
      out: values.get("out"),
      har: values.get("har"),
      name: values.get("name"),
      title: values.get("title"),
      maxBytes: values.get("max-bytes"),
      force: parsed.force === true,
    },
  };
}

/** Flags that this command does not have. */
function misplaced(
  command: CommandName,
  parsed: Readonly<Record<string, unknown>>,
): ConfigProblem[] {
  const isGiven = (name: string) => {
    const value = parsed[name];
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
  };
  return [...VALUE_FLAGS, ...SWITCHES]
    .filter((name) => isGiven(name) && !isEverywhere(name) && !FLAGS_OF[command].includes(name))
    .map((name) => {
      const owners = COMMANDS.filter((owner) => FLAGS_OF[owner].includes(name));
      const path = `--${name}`;
      return owners.length === 1
        ? {
          path,
          found: `a flag of ${owners[0]} alone`,
          wanted: `the command: switchyard ${owners[0]} ...`,
        }
        : {
          path,
          found: `a flag that ${command} does not have`,
          wanted: `a flag of ${command}; see --help`,
        };
    });
}

/** What looks like the name of a config file. */
const CONFIG_FILE = /\.jsonc?$/i;

function isEverywhere(name: string): boolean {
  return name === "help" || name === "version";
}

function commandOf(words: readonly string[], problems: ConfigProblem[]): CommandName {
  const [word = "start", ...rest] = words;
  const command = COMMANDS.find((name) => name === word);
  if (command === undefined) {
    problems.push({
      path: "command",
      found: JSON.stringify(word),
      wanted: CONFIG_FILE.test(word)
        ? "a command, or flags: a config file is given with --config FILE"
        : `a known command: ${didYouMean(word, COMMANDS)}`,
    });
  }
  if (rest.length > 0) {
    problems.push({
      path: "command",
      found: `${JSON.stringify(rest.join(" "))} behind it`,
      wanted: rest.some((one) => CONFIG_FILE.test(one))
        ? "flags alone; a config file is given with --config FILE"
        : "flags alone; an upstream is given with --upstream URL",
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
  upstreams: readonly string[],
  allowPublicBind: boolean,
): Overrides {
  const overrides: Record<string, string | boolean | readonly string[]> = {};
  if (upstreams.length > 0) overrides.upstream = upstreams.length > 1 ? upstreams : upstreams[0]!;
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
  switchyard stdio [flags]           the proxy for one client that launches it, on stdin and stdout
  switchyard record [flags]          records what clients and the upstream you name say to each other
  switchyard check-config [flags]    says what is wrong with a config, or that nothing is
  switchyard new-key [--name NAME]   a fresh API key for a caller, and its entry in the config

Flags:
  --upstream URL          MCP endpoint of the server behind the proxy; given again, a further one like it:
                          calls are shared among them, and those that fail are left alone
  --stdio "COMMAND"       program behind the proxy that speaks MCP on stdio, in place of --upstream
  --transport TRANSPORT   what the server at --upstream speaks: streamable-http or http+sse
  --header "NAME: VALUE"  field sent with every request to the server, any number of times; \${VARIABLE} in it
                          stands for a variable of the environment, where a secret is safer than here
  --path PATH             path of the endpoint that clients use      (default /mcp);
                          for stdio the route of --config that is meant, where it has several
  --listen HOST:PORT      address for clients; port 0 picks one      (default 127.0.0.1:3100)
  --admin HOST:PORT|off   address for health and status
                          (default: start 127.0.0.1:3101, serve off)
  --config FILE           JSON or JSONC file with routes and limits
  --log-level LEVEL       debug, info, warn, error or silent         (default info)
  --allow-public-bind     allow an address that other machines can reach
  --data-dir DIR          folder for what has to survive a restart: the key of session ids, and sessions
  --record DIR            record what clients send and get, redacted, in a folder under DIR
  --version, --help

Flags of record, beside --upstream, --listen and --log-level:
  --out DIR               folder for the fixture: meta.json and exchange.ndjson
  --har FILE              HTTP archive (HAR 1.2) of the same recording, for browser tools
  --name NAME             name of the fixture                        (default: that of the folder)
  --title TITLE           one line that says what was recorded
  --max-bytes BYTES       then the recording ends and the traffic goes on    (default 524288)
  --force                 replace what is there already

Flag of new-key:
  --name NAME             who holds the key; keys with one name are one caller   (default: a random one)

Each flag but --help, --version, --header and those of record and new-key also has a variable: SWITCHYARD_UPSTREAM, SWITCHYARD_LOG_LEVEL ...
SWITCHYARD_SESSION_KEYS and SWITCHYARD_REDIS_URL have no flag, since they are secrets.
A flag outweighs its variable, which outweighs the file.`;
