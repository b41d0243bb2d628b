/**
 * One config out of a file, the environment and flags, in rising order of weight.
 *
 * @module
 */

import { dirname, resolve } from "node:path";
import type { LogLevel } from "../telemetry/mod.ts";
import { CommandLineError, splitCommand } from "./command_line.ts";
import { crossCheck } from "./cross_check.ts";
import { ConfigError, type ConfigProblem, shown, toProblems } from "./problems.ts";
import { configSchema } from "./schema.ts";
import { parseText } from "./syntax.ts";
import type { Config } from "./types.ts";
import { expandVariables, type ReadVariable } from "./variables.ts";

/** Settings that the environment and flags can give. */
export interface Overrides {
  /** Address for clients. */
  readonly listen?: string;
  /** Address for health and status, or `off`. */
  readonly admin?: string;
  /** MCP endpoint behind the only route, or several that are the same to clients. */
  readonly upstream?: string | readonly string[];
  /** Command line of the program behind the only route. */
  readonly stdio?: string;
  /** What the server at `upstream` speaks. */
  readonly transport?: string;
  /** Fields added to every request to the only upstream; from flags alone. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Path of the only route. */
  readonly path?: string;
  /** Least severe log lines. */
  readonly logLevel?: string;
  /** Whether other machines may reach the proxy. */
  readonly allowPublicBind?: boolean;
  /** Folder for recordings of the traffic. */
  readonly record?: string;
  /** Folder for what has to survive a restart. */
  readonly dataDir?: string;
  /** Secrets that seal session ids, separated by commas; from the environment alone. */
  readonly sessionKeys?: string;
  /** Where Redis is; from the environment alone, since it may hold a password. */
  readonly redisUrl?: string;
}

/** Where the config comes from. */
export interface ConfigSources {
  /** Path of a JSON or JSONC file. */
  readonly file?: string | undefined;
  /** What the environment says (see `environmentOverrides`). */
  readonly environment?: Overrides;
  /** What the command line says. */
  readonly flags?: Overrides;
  /** The variables that stand in the file (see `expandVariables`); where it is left out they stay as text. */
  readonly variables?: ReadVariable;
  /** The level of the log where nothing says which; `info` where it is left out. */
  readonly logLevel?: LogLevel;
  /** Whether a config without any route is a problem. */
  readonly needsRoutes: boolean;
  /** Reads the file; `Deno.readTextFile` but in tests. */
  readonly readTextFile?: (path: string) => Promise<string>;
}

/** The flag and the environment variable of each override. */
export const OVERRIDE_NAMES = {
  listen: { flag: "--listen", variable: "SWITCHYARD_LISTEN" },
  admin: { flag: "--admin", variable: "SWITCHYARD_ADMIN" },
  upstream: { flag: "--upstream", variable: "SWITCHYARD_UPSTREAM" },
  stdio: { flag: "--stdio", variable: "SWITCHYARD_STDIO" },
  transport: { flag: "--transport", variable: "SWITCHYARD_TRANSPORT" },
  path: { flag: "--path", variable: "SWITCHYARD_PATH" },
  logLevel: { flag: "--log-level", variable: "SWITCHYARD_LOG_LEVEL" },
  allowPublicBind: { flag: "--allow-public-bind", variable: "SWITCHYARD_ALLOW_PUBLIC_BIND" },
  record: { flag: "--record", variable: "SWITCHYARD_RECORD" },
  dataDir: { flag: "--data-dir", variable: "SWITCHYARD_DATA_DIR" },
} as const satisfies Record<
  Exclude<keyof Overrides, SecretOverride | "headers">,
  { flag: string; variable: string }
>;

/** The flag of `headers`, which is given as often as there are fields. */
export const HEADER_FLAG = "--header";

/** What a command line would show to everybody on the machine. */
type SecretOverride = "sessionKeys" | "redisUrl";

/** The environment variables of what has no flag. */
const SECRET_VARIABLES = {
  sessionKeys: "SWITCHYARD_SESSION_KEYS",
  redisUrl: "SWITCHYARD_REDIS_URL",
} as const satisfies Record<SecretOverride, string>;

/** The environment variable that names the config file. */
export const CONFIG_FILE_VARIABLE = "SWITCHYARD_CONFIG";

/** The path of the endpoint where only an upstream is given. */
export const DEFAULT_PATH = "/mcp";

type RawConfig = Record<string, unknown>;

/**
 * Loads and checks a config.
 *
 * @throws {ConfigError} with every problem there is, not just the first.
 */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const raw = await readFile(sources);
  const origin = new Map<string, string>();
  const problems: ConfigProblem[] = [];
  if (sources.variables !== undefined) expandVariables(raw, sources.variables, problems);
  // What lacks a variable is told as that alone, and not once more as what is left without it.
  const lacking = new Set(problems.map(({ path }) => path));
  applyOverrides(raw, sources.environment ?? {}, "variable", origin, problems);
  applyOverrides(raw, sources.flags ?? {}, "flag", origin, problems);
  if (sources.logLevel !== undefined) raw["logLevel"] ??= sources.logLevel;
  const result = configSchema.safeParse(raw);
  const sourceOf = (path: string) => origin.get(path);
  const found = [
    ...(result.success ? [] : toProblems(result.error, raw, configSchema, sourceOf)),
    ...crossCheck(raw, sources.needsRoutes, sourceOf),
  ];
  problems.push(...found.filter(({ path }) => !lacking.has(path)));
  if (problems.length > 0 || !result.success) throw new ConfigError(problems);
  return withModules(result.data, sources.file);
}

/** The same config, with the paths of modules counted from the folder of its file. */
function withModules(config: Config, file: string | undefined): Config {
  const folder = file === undefined ? Deno.cwd() : dirname(resolve(file));
  const located = (interceptors: Config["interceptors"]) =>
    interceptors.map((one) =>
      one.module === undefined || one.module.startsWith("file:")
        ? one
        : { ...one, module: resolve(folder, one.module) }
    );
  return {
    ...config,
    interceptors: located(config.interceptors),
    routes: config.routes.map((route) => ({ ...route, interceptors: located(route.interceptors) })),
  };
}

/** The overrides in the environment, read through `get`. */
export function environmentOverrides(get: (name: string) => string | undefined): Overrides {
  const found: Record<string, string | boolean> = {};
  for (const [key, { variable }] of Object.entries(OVERRIDE_NAMES)) {
    const value = get(variable);
    if (value === undefined || value === "") continue;
    found[key] = key === "allowPublicBind" ? value === "true" || value === "1" : value;
  }
  for (const [key, variable] of Object.entries(SECRET_VARIABLES)) {
    const value = get(variable);
    if (value !== undefined && value !== "") found[key] = value;
  }
  return found;
}

async function readFile(sources: ConfigSources): Promise<RawConfig> {
  if (sources.file === undefined) return {};
  const text = await readText(sources.file, sources.readTextFile ?? Deno.readTextFile);
  const value = parseText(sources.file, text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConfigError([{
      path: sources.file,
      found: Array.isArray(value) ? "a list" : shown(value),
      wanted: 'an object such as {"routes": [{"path": "/mcp", "upstream": {"url": "http://…"}}]}',
    }]);
  }
  return value as RawConfig;
}

async function readText(file: string, read: (path: string) => Promise<string>): Promise<string> {
  try {
    return await read(file);
  } catch (error) {
    const found = error instanceof Deno.errors.NotFound
      ? "no such file"
      : `a file that cannot be read (${error instanceof Error ? error.message : error})`;
    throw new ConfigError([{ path: file, found, wanted: "a readable JSON or JSONC file" }]);
  }
}

function applyOverrides(
  raw: RawConfig,
  overrides: Overrides,
  by: "flag" | "variable",
  origin: Map<string, string>,
  problems: ConfigProblem[],
): void {
  for (const key of ["listen", "admin", "logLevel", "allowPublicBind", "dataDir"] as const) {
    if (overrides[key] === undefined) continue;
    raw[key] = overrides[key];
    origin.set(key, OVERRIDE_NAMES[key][by]);
  }
  if (overrides.record !== undefined) {
    raw.record = { ...(raw.record as RawConfig | undefined), dir: overrides.record };
    origin.set("record.dir", OVERRIDE_NAMES.record[by]);
  }
  overrideSecrets(raw, overrides, origin);
  const names: string[] = ROUTE_KEYS.filter((key) => overrides[key] !== undefined)
    .map((key) => OVERRIDE_NAMES[key][by]);
  if (overrides.headers !== undefined) names.push(HEADER_FLAG);
  if (names.length === 0) return;
  problems.push(...overrideRoute(raw, overrides, names[0]!, by, origin));
}

function overrideSecrets(raw: RawConfig, overrides: Overrides, origin: Map<string, string>): void {
  const { sessionKeys, redisUrl } = overrides;
  if (sessionKeys !== undefined) {
    const keys = sessionKeys.split(",").map((key) => key.trim());
    raw.sessions = { ...(raw.sessions as RawConfig | undefined), keys };
    origin.set("sessions.keys", SECRET_VARIABLES.sessionKeys);
  }
  if (redisUrl !== undefined) {
    raw.redis = { ...(raw.redis as RawConfig | undefined), url: redisUrl };
    origin.set("redis.url", SECRET_VARIABLES.redisUrl);
  }
}

/** What is set of the only route. */
const ROUTE_KEYS = ["upstream", "stdio", "transport", "path"] as const;

/** Sets the upstream and path of the only route, as the flag or variable `name` wants it, which is made where there is none yet. */
function overrideRoute(
  raw: RawConfig,
  overrides: Overrides,
  name: string,
  by: "flag" | "variable",
  origin: Map<string, string>,
): ConfigProblem[] {
  const routes = raw.routes ?? [];
  if (!Array.isArray(routes) || routes.length > 1) {
    return [{
      path: name,
      found: "a config file with several routes",
      wanted: "a file with one route or none, because it cannot tell which one is meant",
    }];
  }
  const route = (routes[0] ?? { path: DEFAULT_PATH }) as RawConfig;
  if (overrides.path !== undefined) origin.set("routes[0].path", OVERRIDE_NAMES.path[by]);
  const upstream = (route.upstream ?? {}) as RawConfig;
  const problems: ConfigProblem[] = [];
  raw.routes = [{
    ...route,
    path: overrides.path ?? route.path ?? DEFAULT_PATH,
    upstream: overrideUpstream(upstream, overrides, by, origin, problems),
  }];
  return problems;
}

/** What reaches the server takes the place of what did before, whichever it is. */
function overrideUpstream(
  upstream: RawConfig,
  overrides: Overrides,
  by: "flag" | "variable",
  origin: Map<string, string>,
  problems: ConfigProblem[],
): RawConfig {
  const spoken = overrideSpoken(upstream, overrides, by, origin);
  if (overrides.upstream === undefined && overrides.stdio === undefined) return spoken;
  const { url: _url, targets: _targets, stdio, ...changed } = spoken;
  if (typeof overrides.upstream === "string") {
    changed.url = overrides.upstream;
    origin.set("routes[0].upstream.url", OVERRIDE_NAMES.upstream[by]);
  } else if (overrides.upstream !== undefined) {
    changed.targets = overrides.upstream.map((url, at) => ({ name: String(at + 1), url }));
    overrides.upstream.forEach((_, at) => {
      origin.set(`routes[0].upstream.targets[${at}].url`, OVERRIDE_NAMES.upstream[by]);
    });
  }
  if (overrides.stdio === undefined) return changed;
  origin.set("routes[0].upstream.stdio", OVERRIDE_NAMES.stdio[by]);
  const words = readCommand(overrides.stdio, OVERRIDE_NAMES.stdio[by], problems);
  const [command, ...args] = words;
  return { ...changed, stdio: { ...(stdio as RawConfig | undefined), command, args } };
}

/** How the server is spoken to. */
function overrideSpoken(
  upstream: RawConfig,
  { transport, headers }: Overrides,
  by: "flag" | "variable",
  origin: Map<string, string>,
): RawConfig {
  const changed = { ...upstream };
  if (transport !== undefined) {
    changed.transport = transport;
    origin.set("routes[0].upstream.transport", OVERRIDE_NAMES.transport[by]);
  }
  if (headers !== undefined) {
    changed.headers = { ...(upstream.headers as RawConfig | undefined), ...headers };
    origin.set("routes[0].upstream.headers", HEADER_FLAG);
  }
  return changed;
}

function readCommand(line: string, name: string, problems: ConfigProblem[]): string[] {
  try {
    return splitCommand(line);
  } catch (error) {
    if (!(error instanceof CommandLineError)) throw error;
    const wanted = 'a command line such as "npx -y some-server"';
    problems.push({ path: name, found: error.message, wanted });
    // Told already; the rest is checked with it.
    return ["-"];
  }
}
