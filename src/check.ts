/**
 * What a config names beside itself, looked at as a start would, with nothing started: no socket is opened, no
 * program is run, no file or folder is made.
 *
 * @module
 */

import { dirname } from "node:path";
import { certificateProblems } from "./certificates.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, ConfigError, type ConfigProblem } from "./config/mod.ts";
import { interceptorProblem } from "./interceptors.ts";
import { buildEntry, type BuildOptions, type ConfigInterceptor } from "./intercept/mod.ts";
import { checkSecrets } from "./stores.ts";
import { nullLogger } from "./telemetry/mod.ts";

/** How long the modules of interceptors may take, in milliseconds. */
const LOADING_MS = 30_000;

/**
 * Looks at the interceptors, certificates and secrets of a config. The modules of interceptors are run for that,
 * as they would be at the start, and closed. What a process may do (`--allow-run`, `--allow-write`) is not judged:
 * it may be another for the process that serves.
 *
 * @throws {ConfigError} with every problem there is, each with its path
 */
export async function checkNamed(config: Config, clock: Clock = systemClock): Promise<void> {
  const problems = [
    ...secretProblems(config),
    ...await interceptorProblems(config, clock),
    ...certificateProblems(config),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
}

function secretProblems(config: Config): readonly ConfigProblem[] {
  try {
    checkSecrets(config);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

async function interceptorProblems(config: Config, clock: Clock): Promise<ConfigProblem[]> {
  const options = { clock, log: nullLogger, openLines: checkLines, baseDir: Deno.cwd() };
  const listed = [
    ...placed("interceptors", config.interceptors),
    ...config.routes.flatMap(({ interceptors }, at) =>
      placed(`routes[${at}].interceptors`, interceptors)
    ),
  ];
  // All at one time, so that modules that hang cost one deadline together.
  const problems = await Promise.all(
    listed.map(({ path, interceptor }) => problemOf(path, interceptor, options)),
  );
  return problems.flatMap((problem) => problem ?? []);
}

function placed(path: string, interceptors: readonly ConfigInterceptor[]) {
  return interceptors.map((interceptor, at) => ({ path: `${path}[${at}]`, interceptor }));
}

async function problemOf(
  path: string,
  interceptor: ConfigInterceptor,
  options: BuildOptions,
): Promise<ConfigProblem | undefined> {
  const late = Promise.withResolvers<ConfigProblem>();
  const timer = options.clock.after(LOADING_MS, () =>
    late.resolve({
      path,
      found: `a module that took more than ${LOADING_MS / 1000} seconds to load`,
      wanted: "an interceptor that can be made",
    }));
  try {
    return await Promise.race([made(path, interceptor, options), late.promise]);
  } finally {
    timer.cancel();
  }
}

/** Makes an interceptor and closes it. */
async function made(
  path: string,
  config: ConfigInterceptor,
  options: BuildOptions,
): Promise<ConfigProblem | undefined> {
  try {
    const { interceptor } = await buildEntry(config, options);
    await interceptor.close?.();
    return undefined;
  } catch (error) {
    return interceptorProblem(path, error instanceof Error ? error : new Error(String(error)));
  }
}

/** Looks whether lines could be added to the file at `path`, and opens nothing that would be made by it. */
function checkLines(path: string): { write(): void; close(): Promise<void> } {
  const there = statOf(path);
  if (there?.isDirectory) throw new Error(`${path} is a folder, not a file`);
  if (there === undefined && statOf(dirname(path))?.isDirectory !== true) {
    throw new Error(`there is no folder ${dirname(path)} to make the file in`);
  }
  return { write() {}, close: () => Promise.resolve() };
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}
