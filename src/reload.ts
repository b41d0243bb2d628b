/**
 * Putting another config in the place of the one that runs: one at a time, the whole of it or nothing, and
 * told in the log.
 *
 * @module
 */

import type { App } from "./app.ts";
import type { Clock } from "./clock.ts";
import {
  type Config,
  ConfigError,
  type ConfigProblem,
  formatProblem,
  type ReloadOutcome,
  restartProblems,
} from "./config/mod.ts";
import {
  closeMade,
  loadPipelines,
  type Pipelines,
  type RunningInterceptors,
} from "./interceptors.ts";
import type { Logger } from "./telemetry/mod.ts";

/** How long a config may take to be read, and its interceptors to be made, in milliseconds. */
const LOADING_MS = 30_000;

/** What reloading takes. */
export interface ReloadsOptions {
  /** What runs. */
  readonly app: Pick<App, "reload">;
  /** The config and the interceptors that it began with. */
  readonly running: RunningInterceptors;
  /** Reads the config anew; left out where there is nothing to read. Rejects with a `ConfigError`. */
  readonly load?: (() => Promise<Config>) | undefined;
  /** Told of a config that runs from now on. */
  readonly onReloaded: (config: Config) => void;
  /** Time. */
  readonly clock: Clock;
  /** Where it is told what came of it. */
  readonly logger: Logger;
}

/** The config that runs, and what comes in its place. */
export class Reloads {
  readonly #options: ReloadsOptions;
  #running: RunningInterceptors;
  #last: Promise<unknown> = Promise.resolve();
  /** One that has not begun: what is read then is new enough for all who ask until then. */
  #waiting: Promise<ReloadOutcome> | undefined;
  #stopped = false;

  /** Nothing was reloaded yet. */
  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.#running = options.running;
  }

  /** The config that runs. */
  get config(): Config {
    return this.#running.config;
  }

  /**
   * Reloads what `load` gives, or `given`, when all earlier ones are done; never rejects.
   *
   * @returns what came of it; where the config cannot run, everything is as it was
   */
  reload(given?: Config): Promise<ReloadOutcome> {
    if (given !== undefined) return this.#queue(() => Promise.resolve(given));
    const { load } = this.#options;
    if (load === undefined) {
      const sentence = "There is no config file to read again; start the proxy with --config FILE.";
      return Promise.resolve(this.#refuse([sentence]));
    }
    return this.#waiting ??= this.#queue(() => {
      this.#waiting = undefined;
      return load();
    });
  }

  /** Reloads no more: what is under way comes to nothing. */
  stop(): void {
    this.#stopped = true;
  }

  #queue(read: () => Promise<Config>): Promise<ReloadOutcome> {
    const reloading = this.#last.then(() => this.#attempt(read));
    this.#last = reloading;
    return reloading;
  }

  async #attempt(read: () => Promise<Config>): Promise<ReloadOutcome> {
    try {
      return await this.#put(await this.#inTime(read(), tooSlow()));
    } catch (error) {
      if (error instanceof ConfigError) return this.#refuse(error.problems.map(formatProblem));
      const { message } = error instanceof Error ? error : new Error(String(error));
      this.#options.logger.error("a reload failed where it should not", { error });
      return this.#refuse([message]);
    }
  }

  async #put(config: Config): Promise<ReloadOutcome> {
    const { app, logger, onReloaded } = this.#options;
    const fixed = restartProblems(this.config, config);
    if (fixed.length > 0) throw new ConfigError(fixed);
    const pipelines = await this.#loaded(config);
    const routes = await this.#orClose(pipelines, () => app.reload(config, pipelines));
    this.#running = { config, pipelines };
    const tell = () => logger.info("config reloaded", { ...routes });
    // The level may change either way; it is told where one of both has the line written.
    const isTold = logger.enabled("info");
    if (isTold) tell();
    onReloaded(config);
    if (!isTold) tell();
    return { ok: true, routes };
  }

  /** The interceptors of a config; a module that takes too long must not keep later reloads waiting. */
  async #loaded(config: Config): Promise<Pipelines> {
    const { clock, logger } = this.#options;
    const running = this.#running;
    const loading = loadPipelines(config, { clock, logger, running });
    try {
      return await this.#inTime(loading, tooLong());
    } catch (error) {
      // Another reload may have replaced by then what ran when this began, which requests still work with.
      loading.then((made) => closeMade(made, running.pipelines)).catch(() => {
        // It has been told already that they cannot be used.
      });
      throw error;
    }
  }

  /** What `work` comes to; a `ConfigError` with this problem where that takes too long. */
  async #inTime<T>(work: Promise<T>, problem: ConfigProblem): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = this.#options.clock.after(
      LOADING_MS,
      () => reject(new ConfigError([problem])),
    );
    try {
      return await Promise.race([work, late]);
    } finally {
      timer.cancel();
    }
  }

  /** What `act` gives; where it fails, interceptors that were made for it are closed. */
  async #orClose<T>(pipelines: Pipelines, act: () => T): Promise<T> {
    try {
      if (this.#stopped) throw new ConfigError([stopping()]);
      return act();
    } catch (error) {
      await closeMade(pipelines, this.#running.pipelines);
      throw error;
    }
  }

  #refuse(problems: readonly string[]): ReloadOutcome {
    this.#options.logger.warn("config not reloaded; the old one stays", { problems });
    return { ok: false, problems };
  }
}

function tooLong(): ConfigProblem {
  return {
    path: "interceptors",
    found: `modules that took more than ${LOADING_MS / 1000} seconds to load`,
    wanted: "interceptors that can be made",
  };
}

function tooSlow(): ConfigProblem {
  return {
    path: "(the whole config)",
    found: `a file that took more than ${LOADING_MS / 1000} seconds to read`,
    wanted: "a file that can be read at once, which a pipe is not",
  };
}

function stopping(): ConfigProblem {
  return { path: "(the whole config)", found: "a proxy that is stopping", wanted: "one that runs" };
}
