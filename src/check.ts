/**
 * What a config names beside itself, looked at as a start would, with nothing started: no socket is opened, no
 * program is run, no file or folder is made.
 *
 * @module
 */

import { dirname, resolve } from "node:path";
import { certificateProblems } from "./certificates.ts";
import { clientKeyProblems } from "./client_keys.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, ConfigError, type ConfigProblem } from "./config/mod.ts";
import { interceptorProblem } from "./interceptors.ts";
import { buildEntry, type BuildOptions, type ConfigInterceptor } from "./intercept/mod.ts";
import { checkSecrets } from "./stores.ts";
import { nullLogger } from "./telemetry/mod.ts";

/** How long the modules of interceptors may take, in milliseconds. */
const LOADING_MS = 30_000;

/**
 * Looks at the interceptors, certificates, secrets, files and folders of a config. The modules of interceptors are run for that,
 * as they would be at the start, and closed. What a process may do (`--allow-run`, `--allow-write`) is not judged:
 * it may be another for the process that serves.
 *
 * @throws {ConfigError} with every problem there is, each with its path
 */
export async function checkNamed(config: Config, clock: Clock = systemClock): Promise<void> {
  const problems = [
    ...secretProblems(config),
    ...placeProblems(config),
    ...await interceptorProblems(config, clock),
    ...certificateProblems(config),
    ...clientKeyProblems(config),
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

/** Folders and files that could not be made where they are wanted, or are of the other kind. */
function placeProblems({ dataDir, record, sessions, eventLog }: Config): ConfigProblem[] {
  const folders = [["dataDir", dataDir], ["record.dir", record?.dir]] as const;
  const files = [["sessions.path", sessions], ["eventLog.path", eventLog]] as const;
  return [
    ...folders.flatMap(([path, folder]) => folder === undefined ? [] : folderProblem(path, folder)),
    ...files.flatMap(([path, { store, path: file }]) =>
      store !== "sqlite" || file === undefined ? [] : fileProblem(path, file, dataDir)
    ),
  ];
}

/** A folder is made with all that it is in, so that something has to be in its way. */
function folderProblem(path: string, folder: string): ConfigProblem[] {
  let place = resolve(folder);
  while (statOf(place) === undefined && dirname(place) !== place) place = dirname(place);
  if (statOf(place)?.isDirectory !== false) return [];
  const found = `${folder}, where ${place} is a file`;
  return [{ path, found, wanted: "a folder, or a place where one can be made" }];
}

function fileProblem(path: string, file: string, dataDir: string | undefined): ConfigProblem[] {
  const wanted = "a file that this proxy alone uses and may write, in a folder that is there";
  const folder = dirname(resolve(file));
  if (statOf(file)?.isDirectory) return [{ path, found: `${file}, which is a folder`, wanted }];
  // The proxy makes this one.
  if (dataDir !== undefined && folder === resolve(dataDir)) return [];
  if (statOf(folder)?.isDirectory) return [];
  return [{ path, found: `${file}, and no folder ${folder}`, wanted }];
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
