/**
 * From the arguments of the process to its exit code.
 *
 * Exit codes: 0 all went well, 1 the proxy could not run, 2 the flags or the config are wrong.
 *
 * @module
 */

import {
  type Config,
  CONFIG_FILE_VARIABLE,
  ConfigError,
  type ConfigSources,
  environmentOverrides,
  formatProblem,
  loadConfig,
  type Overrides,
} from "../config/mod.ts";
import { checkNamed } from "../check.ts";
import { RecordingError } from "../record/mod.ts";
import { ListenError } from "../server.ts";
import { type CommandLine, type CommandName, readCommandLine, USAGE } from "./args.ts";
import { letHangupEnd } from "./hangup.ts";
import { headerOverrides } from "./header_flags.ts";
import { ConfigSource } from "./config_source.ts";
import type { CommandIo } from "./io.ts";
import { printNewKey } from "./new_key.ts";
import { recordTraffic } from "./record.ts";
import { ReferenceServerError, startReferenceServer } from "./reference.ts";
import { runProxy } from "./serve.ts";
import { serveStdio } from "./stdio.ts";
import { VERSION } from "./version.ts";

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Runs the command that `args` name and resolves with the exit code. */
export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const line = readCommandLine(args);
  if (Array.isArray(line)) {
    for (const problem of line) io.err(formatProblem(problem));
    io.err("Run with --help for the flags.");
    return EXIT_USAGE;
  }
  if (line.help) return say(io, USAGE);
  if (line.version) return say(io, VERSION);
  if (!RELOADING.includes(line.command)) letHangupEnd();
  try {
    return await COMMANDS[line.command](line, io);
  } catch (error) {
    return explain(error, io);
  }
}

/** The commands that read their config again at SIGHUP. */
const RELOADING: readonly CommandName[] = ["start", "serve"];

const COMMANDS: Readonly<
  Record<CommandName, (line: CommandLine, io: CommandIo) => Promise<number>>
> = {
  start,
  serve: async (line, io) => {
    const source = sourceOf(line, io, { needsRoutes: true });
    return await runProxy(await source.load(), io, { source });
  },
  stdio: serveStdio,
  record: recordTraffic,
  "check-config": async (line, io) => {
    const config = await sourceOf(line, io, { needsRoutes: true }).load();
    await checkNamed(config);
    return say(io, `The config is sound: ${config.routes.length} route(s).`);
  },
  "new-key": printNewKey,
};

async function start(line: CommandLine, io: CommandIo): Promise<number> {
  const given = sourceOf(line, io, { needsRoutes: io.isStandalone, startDefaults: true });
  const config = await given.load();
  if (config.routes.length > 0) return await runProxy(config, io, { greet: true, source: given });
  const reference = await startReferenceServer();
  try {
    const flags = { ...line.flags, upstream: reference.url };
    const options = { needsRoutes: true, startDefaults: true };
    const source = sourceOf({ ...line, flags }, io, options);
    const { ended: lost } = reference;
    return await runProxy(await source.load(), io, { greet: true, lost, source });
  } finally {
    await reference.stop();
  }
}

interface LoadOptions {
  readonly needsRoutes: boolean;
  /** Whether the admin address has a default. */
  readonly startDefaults?: boolean;
}

function sourceOf(line: CommandLine, io: CommandIo, options: LoadOptions): ConfigSource {
  const file = line.file ?? io.env(CONFIG_FILE_VARIABLE);
  return new ConfigSource(file, (readTextFile) => load(line, io, options, { file, readTextFile }));
}

async function load(
  line: CommandLine,
  io: CommandIo,
  options: LoadOptions,
  from: Pick<ConfigSources, "file" | "readTextFile">,
): Promise<Config> {
  const environment = environmentOverrides(io.env);
  const config = await loadConfig({
    ...from,
    environment,
    variables: io.env,
    flags: { ...line.flags, ...headerOverrides(line.headers, io.env) },
    needsRoutes: options.needsRoutes,
  });
  if (!options.startDefaults || config.admin !== "off" || saysAdmin(environment, line.flags)) {
    return config;
  }
  // Beside a listening port that was left to chance, a fixed admin port would be in the way.
  return { ...config, admin: config.listen.endsWith(":0") ? "127.0.0.1:0" : "127.0.0.1:3101" };
}

function saysAdmin(environment: Overrides, flags: Overrides): boolean {
  return environment.admin !== undefined || flags.admin !== undefined;
}

function say(io: CommandIo, text: string): number {
  io.out(text);
  return EXIT_OK;
}

function explain(error: unknown, io: CommandIo): number {
  if (error instanceof ConfigError) {
    for (const problem of error.problems) io.err(formatProblem(problem));
    return EXIT_USAGE;
  }
  const failures = [ListenError, RecordingError, ReferenceServerError];
  if (error instanceof Error && failures.some((failure) => error instanceof failure)) {
    io.err(error.message);
    return EXIT_FAILED;
  }
  throw error;
}
