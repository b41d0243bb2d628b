/**
 * The interceptors of a config, made ready: a pipeline for each route that has any.
 *
 * @module
 */

import { type Clock, systemClock } from "./clock.ts";
import { type Config, ConfigError } from "./config/mod.ts";
import {
  buildEntries,
  createPipeline,
  fileLines,
  InterceptorLoadError,
  type Pipeline,
} from "./intercept/mod.ts";
import { type Logger, nullLogger } from "./telemetry/mod.ts";

/** Pipelines by the paths of their routes; one for each route that has interceptors. */
export type Pipelines = ReadonlyMap<string, Pipeline>;

/** What interceptors are given from outside. */
export interface LoadOptions {
  /** Time; the system's by default. */
  readonly clock?: Clock;
  /** Where they log; nowhere by default. */
  readonly logger?: Logger;
}

/**
 * Makes the interceptors of all routes: first those of the whole proxy, then the route's own.
 *
 * @throws {ConfigError} for the first one that cannot be made; none is left open then.
 */
export async function loadPipelines(
  { interceptors, routes }: Config,
  { clock = systemClock, logger = nullLogger }: LoadOptions = {},
): Promise<Pipelines> {
  const pipelines = new Map<string, Pipeline>();
  const options = { clock, log: logger, openLines: fileLines, baseDir: Deno.cwd() };
  try {
    for (const route of routes) {
      const configs = [...interceptors, ...route.interceptors];
      if (configs.length === 0) continue;
      const entries = await buildEntries(configs, options);
      pipelines.set(route.path, createPipeline(entries, { clock, log: logger }));
    }
  } catch (error) {
    await Promise.all([...pipelines.values()].map((pipeline) => pipeline.close()));
    if (!(error instanceof InterceptorLoadError)) throw error;
    throw new ConfigError([{
      path: "interceptors",
      found: error.message,
      wanted: "interceptors that can be made",
    }]);
  }
  return pipelines;
}
