/**
 * The interceptors of a config, made ready: a pipeline for each route that has any.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, ConfigError } from "./config/mod.ts";
import {
  buildEntries,
  createPipeline,
  fileLines,
  InterceptorLoadError,
  moduleVersion,
  type Pipeline,
} from "./intercept/mod.ts";
import { type Logger, nullLogger } from "./telemetry/mod.ts";

/** Pipelines by the paths of their routes; one for each route that has interceptors. */
export type Pipelines = ReadonlyMap<string, Pipeline>;

export type { Pipeline };

/** What interceptors are given from outside. */
export interface LoadOptions {
  /** Time; the system's by default. */
  readonly clock?: Clock;
  /** Where they log; nowhere by default. */
  readonly logger?: Logger;
  /** What runs now: interceptors that are as they were go on, with all that they know. */
  readonly running?: RunningInterceptors | undefined;
}

/** The interceptors of a config that runs. */
export interface RunningInterceptors {
  /** The config. */
  readonly config: Config;
  /** Its interceptors. */
  readonly pipelines: Pipelines;
}

/**
 * Makes the interceptors of all routes: first those of the whole proxy, then the route's own.
 *
 * @throws {ConfigError} for the first one that cannot be made; none is left open then that was not before.
 */
export async function loadPipelines(
  { interceptors, routes }: Config,
  { clock = systemClock, logger = nullLogger, running }: LoadOptions = {},
): Promise<Pipelines> {
  const pipelines = new Map<string, Pipeline>();
  const options = { clock, log: logger, openLines: fileLines, baseDir: Deno.cwd() };
  try {
    for (const route of routes) {
      const configs = [...interceptors, ...route.interceptors];
      if (configs.length === 0) continue;
      // Read ahead of the modules: one that changes meanwhile is taken for changed the next time.
      const versions = await versionsOf(configs, options.baseDir);
      const kept = running && keptPipeline(route.path, configs, versions, running);
      const pipeline = kept ??
        createPipeline(await buildEntries(configs, options), { clock, log: logger });
      versionsIn.set(pipeline, versions);
      pipelines.set(route.path, pipeline);
    }
  } catch (error) {
    await closeMade(pipelines, running?.pipelines);
    if (!(error instanceof InterceptorLoadError)) throw error;
    throw new ConfigError([{
      path: "interceptors",
      found: error.message,
      wanted: "interceptors that can be made",
    }]);
  }
  return pipelines;
}

/** The versions of the modules that a pipeline was made of. */
const versionsIn = new WeakMap<Pipeline, readonly string[]>();

function versionsOf(configs: Config["interceptors"], baseDir: string): Promise<string[]> {
  const modules = configs.flatMap(({ module }) => module ?? []);
  return Promise.all(modules.map((module) => moduleVersion(module, baseDir)));
}

/** The pipeline of a path where its interceptors are as they were, and the texts of their modules. */
function keptPipeline(
  path: string,
  configs: Config["interceptors"],
  versions: readonly string[],
  { config: { interceptors, routes }, pipelines }: RunningInterceptors,
): Pipeline | undefined {
  const before = routes.find((route) => route.path === path);
  const pipeline = pipelines.get(path);
  if (before === undefined || pipeline === undefined) return undefined;
  const isSame = isDeepStrictEqual([...interceptors, ...before.interceptors], configs) &&
    isDeepStrictEqual(versionsIn.get(pipeline), versions);
  return isSame ? pipeline : undefined;
}

/** Closes pipelines that are of no use after all, but for those that run. */
export async function closeMade(made: Pipelines, running?: Pipelines): Promise<void> {
  const inUse = new Set(running?.values() ?? []);
  const unused = [...made.values()].filter((pipeline) => !inUse.has(pipeline));
  await Promise.all(unused.map((pipeline) => pipeline.close()));
}
