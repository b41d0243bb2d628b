/**
 * The interceptors of a config, made ready: a pipeline for each route that has any.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, ConfigError, type ConfigProblem, type RouteConfig } from "./config/mod.ts";
import {
  buildEntries,
  type BuildOptions,
  createPipeline,
  fileLines,
  InterceptorsLoadError,
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
 * @throws {ConfigError} with all that cannot be made; none is left open then that was not before.
 */
export async function loadPipelines(
  { interceptors, routes }: Config,
  { clock = systemClock, logger = nullLogger, running }: LoadOptions = {},
): Promise<Pipelines> {
  const pipelines = new Map<string, Pipeline>();
  const options = { clock, log: logger, openLines: fileLines, baseDir: Deno.cwd() };
  /** By their paths: an interceptor of all routes is told once. */
  const problems = new Map<string, ConfigProblem>();
  try {
    for (const [index, route] of routes.entries()) {
      const configs = [...interceptors, ...route.interceptors];
      if (configs.length === 0) continue;
      // Read ahead of the modules: one that changes meanwhile is taken for changed the next time.
      const versions = await versionsOf(configs, options.baseDir);
      const kept = running && keptPipeline(route, configs, versions, running);
      const pipeline = kept ?? await built(route.name, configs, options, (at, error) => {
        const path = at < interceptors.length
          ? `interceptors[${at}]`
          : `routes[${index}].interceptors[${at - interceptors.length}]`;
        problems.set(path, interceptorProblem(path, error));
      });
      if (pipeline === undefined) continue;
      versionsIn.set(pipeline, versions);
      pipelines.set(route.path, pipeline);
    }
    if (problems.size > 0) throw new ConfigError([...problems.values()]);
  } catch (error) {
    await closeMade(pipelines, running?.pipelines);
    throw error;
  }
  return pipelines;
}

/** The pipeline of one route; undefined where any of it cannot be made, which is told. */
async function built(
  route: string,
  configs: Config["interceptors"],
  options: BuildOptions,
  onFailure: (at: number, error: Error) => void,
): Promise<Pipeline | undefined> {
  const { clock, log } = options;
  try {
    return createPipeline(await buildEntries(configs, options), { clock, log, route });
  } catch (error) {
    if (!(error instanceof InterceptorsLoadError)) throw error;
    for (const failure of error.failures) onFailure(failure.at, failure.error);
    return undefined;
  }
}

/** What is wrong with the interceptor that stands at `path` in the config. */
export function interceptorProblem(path: string, { message }: Error): ConfigProblem {
  return { path, found: message.replace(/\.$/, ""), wanted: "an interceptor that can be made" };
}

/** The versions of the modules that a pipeline was made of. */
const versionsIn = new WeakMap<Pipeline, readonly string[]>();

function versionsOf(configs: Config["interceptors"], baseDir: string): Promise<string[]> {
  const modules = configs.flatMap(({ module }) => module ?? []);
  return Promise.all(modules.map((module) => moduleVersion(module, baseDir)));
}

/** The pipeline of a route where its interceptors are as they were, and the texts of their modules. */
function keptPipeline(
  { path, name }: RouteConfig,
  configs: Config["interceptors"],
  versions: readonly string[],
  { config: { interceptors, routes }, pipelines }: RunningInterceptors,
): Pipeline | undefined {
  const before = routes.find((route) => route.path === path && route.name === name);
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
