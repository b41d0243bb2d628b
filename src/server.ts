/**
 * Listening and stopping: the sockets around an app.
 *
 * @module
 */

import { type App, createApp } from "./app.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, parseAddress, type ReloadOutcome } from "./config/mod.ts";
import { loadPipelines, type Pipelines } from "./interceptors.ts";
import type { Handler } from "./http/mod.ts";
import { Metrics } from "./metrics/mod.ts";
import {
  denoServer,
  type HttpServer,
  type ServerEvents,
  type ServerLimits,
  switchyardServer,
} from "./listener/mod.ts";
import { Reloads } from "./reload.ts";
import { openStores } from "./stores.ts";
import { recordRun } from "./record/mod.ts";
import type { HttpClientFactory } from "./upstream/mod.ts";
import { type Logger, nullLogger, type RequestMeter } from "./telemetry/mod.ts";

/** What a running proxy is given from outside. */
export interface ServeOptions {
  /** What to run. */
  readonly config: Config;
  /** Time; the system's by default. */
  readonly clock?: Clock;
  /** Where log lines go; nowhere by default. */
  readonly logger?: Logger;
  /** Makes the connections to upstreams; the bench puts others in its place. */
  readonly httpClient?: HttpClientFactory;
  /** Reads the config anew for a reload; left out where there is nothing to read. */
  readonly load?: () => Promise<Config>;
  /** Told of a config that runs from now on, after a reload. */
  readonly onReloaded?: (config: Config) => void;
}

/** A proxy that listens. */
export interface RunningProxy {
  /** Address that clients use, without a path: `http://127.0.0.1:3100`. */
  readonly origin: string;
  /** Address of the admin pages, or null where they are off. */
  readonly adminOrigin: string | null;
  /**
   * Puts `config`, or what `ServeOptions.load` gives, in the place of the config that runs, when all earlier
   * reloads are done: the whole of it, or nothing where anything in it cannot be used. Requests under way keep
   * to the config that they began with. What came of it is also logged. Never rejects.
   */
  reload(config?: Config): Promise<ReloadOutcome>;
  /**
   * Stops: takes no new connection, ends subscriptions, lets calls finish for `drainTimeoutMs`, then
   * cuts. Resolves to whether everything finished in time. Later calls give the same result.
   */
  stop(): Promise<boolean>;
}

/** An address could not be listened on. */
export class ListenError extends Error {
  /** For the address `address`, because of `cause`. */
  constructor(address: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Cannot listen on ${address}: ${reason}. Stop what uses it, or choose another address.`, {
      cause,
    });
    this.name = "ListenError";
  }
}

/** An app with its stores, interceptors and recording, which does not listen. */
export interface OpenedApp extends Omit<App, "reload"> {
  /** The config that runs, and what comes in its place. */
  readonly reloads: Reloads;
  /** Whom requests are counted by; undefined where nobody can ask. */
  readonly meter: RequestMeter | undefined;
  /** Ends the recording, if there is one, where it stands, and writes it. */
  finishRecording(): Promise<void>;
}

/**
 * Opens all that a config needs but the addresses that it listens on.
 *
 * @param clientConnections how many connections of clients are open; null where there are none
 * @throws {ConfigError} where what the config names cannot be used; nothing is left open then
 */
export async function openApp(
  options: ServeOptions,
  clientConnections: () => number | null = () => null,
): Promise<OpenedApp> {
  const { config, clock = systemClock, logger = nullLogger } = options;
  const recording = config.record && await recordRun(config.record, { config, clock, logger });
  const pipelines = await loadPipelines(config, { clock, logger });
  const stores = await openOrClose(pipelines, () => openStores(config, { clock, logger }));
  const metrics = config.admin === "off" ? undefined : new Metrics();
  const reload = options.load && (() => reloads.reload());
  const app = await openOrClose(
    pipelines,
    () => createApp({ ...options, pipelines, stores, clientConnections, reload, metrics }),
    () => stores.close(),
  );
  const reloads: Reloads = new Reloads({
    app,
    running: { config, pipelines },
    load: options.load,
    onReloaded: (next) => options.onReloaded?.(next),
    clock,
    logger,
  });
  return {
    ...app,
    reloads,
    drain() {
      reloads.stop();
      app.drain();
    },
    async close() {
      reloads.stop();
      await app.close();
    },
    handler: recording?.tap(app.handler) ?? app.handler,
    meter: metrics,
    finishRecording: () => recording?.finish() ?? Promise.resolve(),
  };
}

/**
 * Listens on the addresses of a config.
 *
 * @throws {ListenError} where an address is in use or not this machine's; nothing listens then.
 * @throws {ConfigError} where the folder for recordings cannot be written to.
 */
export async function serve(options: ServeOptions): Promise<RunningProxy> {
  const { config, clock = systemClock, logger = nullLogger } = options;
  const servers: HttpServer[] = [];
  const limits = limitsOf(config);
  const onReloaded = (next: Config) => {
    // The listener reads them when they are used.
    Object.assign(limits, limitsOf(next));
    options.onReloaded?.(next);
  };
  const app = await openApp(
    { ...options, onReloaded },
    () => servers[0]?.connections ?? null,
  );
  try {
    const setting = { config, clock, logger };
    const clients = { ...setting, isDraining: () => app.isDraining(), meter: app.meter };
    servers.push(listen(config.listen, app.handler, limits, clients));
    if (config.admin !== "off") {
      // R84: connections of its own, so that health answers also where clients have taken theirs.
      const own = { ...limits, maxConnections: ADMIN_CONNECTIONS };
      servers.push(listen(config.admin, app.admin, own, setting));
    }
  } catch (error) {
    await Promise.all(servers.map((server) => server.shutdown()));
    await app.close();
    throw error;
  }
  const [clients, admin] = servers;
  const stopAll = async () => {
    const [inTime] = await Promise.all([
      stop({
        drain: () => app.drain(),
        clients: clients!,
        admin,
        cutUpstreams: () => app.close(),
        drainTimeoutMs: app.reloads.config.drainTimeoutMs,
        clock,
      }),
      app.finishRecording(),
    ]);
    return inTime;
  };
  let stopping: Promise<boolean> | undefined;
  return {
    origin: originOf(servers[0]!.address),
    adminOrigin: servers[1] === undefined ? null : originOf(servers[1].address),
    reload: (next) => app.reloads.reload(next),
    stop: () => stopping ??= stopAll(),
  };
}

/** What `open` gives; where it fails, what was opened before is closed. */
async function openOrClose<T>(
  pipelines: Pipelines,
  open: () => T | Promise<T>,
  close: () => Promise<void> = () => Promise.resolve(),
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    await Promise.all([...pipelines.values()].map((pipeline) => pipeline.close()));
    await close();
    throw error;
  }
}

function limitsOf({ limits }: Config): ServerLimits {
  return { ...limits, maxConnections: limits.maxClientConnections };
}

/** Connections to the admin address at one time. */
const ADMIN_CONNECTIONS = 64;

/** What the listeners have in common; of this one, whether clients are to connect anew, and who counts them. */
interface ListenSetting {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly isDraining?: () => boolean;
  readonly meter?: RequestMeter | undefined;
}

function listen(
  address: string,
  handler: Handler,
  limits: ServerLimits,
  { config, clock, logger, isDraining, meter }: ListenSetting,
): HttpServer {
  const { hostname, port } = parseAddress(address)!;
  const start = config.httpServer === "deno" ? denoServer : switchyardServer;
  try {
    const events = serverEvents(logger, meter);
    return start({ hostname, port, handler, limits, clock, events, isDraining });
  } catch (error) {
    throw new ListenError(address, error);
  }
}

function serverEvents(logger: Logger, meter: RequestMeter | undefined): ServerEvents {
  return {
    refused(error) {
      const { kind, source } = error;
      meter?.failed({ route: undefined, kind, source });
      logger.debug("request refused", { kind, source, error });
    },
    cutShort: (error) => logger.warn("answer cut short", { error }),
    full: () => logger.warn("as many client connections as limits.maxClientConnections allows"),
    acceptFailed: (error) => logger.error("a connection could not be taken", { error }),
  };
}

function originOf({ hostname, port }: Deno.NetAddr): string {
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** How long after the cut connections may take to notice it. */
const CUT_GRACE_MS = 500;

/** What is stopped, and how. */
interface Stopping {
  readonly drain: () => void;
  readonly clients: HttpServer;
  readonly admin: HttpServer | undefined;
  readonly cutUpstreams: () => Promise<void>;
  readonly drainTimeoutMs: number;
  readonly clock: Clock;
}

/** Whether all answers were over in time. */
async function stop(stopping: Stopping): Promise<boolean> {
  const { drain, clients, admin, cutUpstreams, drainTimeoutMs, clock } = stopping;
  drain();
  const finished = clients.shutdown();
  const inTime = await within(finished, drainTimeoutMs, clock);
  // Until then probes and operators are told that the process stops, and not that it is gone.
  if (admin !== undefined && !await within(admin.shutdown(), CUT_GRACE_MS, clock)) admin.cut();
  await cutUpstreams();
  // The answers break off, which ends the connections of the clients unless one does not read.
  if (!inTime && !await within(finished, CUT_GRACE_MS, clock)) {
    clients.cut();
    await within(finished, CUT_GRACE_MS, clock);
  }
  return inTime;
}

/** Whether `work` ends within `limitMs`. */
async function within(work: Promise<unknown>, limitMs: number, clock: Clock): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = clock.after(limitMs, () => resolve(false));
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    timer.cancel();
  }
}
