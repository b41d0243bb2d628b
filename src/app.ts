/**
 * The composition root: a config in, handlers out. The only place that wires everything.
 *
 * @module
 */

import { adminHandler, type ReloadOutcome, SessionPages, type Snapshot } from "./admin/mod.ts";
import { ANONYMOUS, anybody, apiKeys, type Authenticator } from "./auth/mod.ts";
import type { RouteTargets } from "./balance/mod.ts";
import { type Clock, systemClock } from "./clock.ts";
import { sharedTimers } from "./deadlines.ts";
import { type Config, httpSsePaths, type RouteConfig } from "./config/mod.ts";
import { Drain } from "./drain.ts";
import { ProxyError } from "./errors.ts";
import {
  AbandonedSessions,
  type DoorRules,
  Exchanges,
  type FrontOptions,
  HttpSseFront,
  httpSseSessions,
  type InterceptorsOptions,
  Recovery,
  streamableHttpFront,
  Streams,
} from "./front/mod.ts";
import { createHandler, type Route } from "./handler.ts";
import type { Handler } from "./http/mod.ts";
import type { Pipelines } from "./interceptors.ts";
import { PeerCalls } from "./peers/mod.ts";
import { Instances, LiveStreams, type RelayLimits } from "./relay/mod.ts";
import { SessionTable } from "./session/mod.ts";
import { storeCheck } from "./store_check.ts";
import { memoryStores, type Stores } from "./stores.ts";
import { type Logger, nullLogger } from "./telemetry/mod.ts";
import type { HttpClientFactory, Upstream } from "./upstream/mod.ts";
import { openUpstream, type UpstreamFigures } from "./upstreams.ts";

/** What an app is given from outside. */
export interface AppOptions {
  /** What to run. */
  readonly config: Config;
  /** Time; the system's by default. */
  readonly clock?: Clock;
  /** Where log lines go; nowhere by default. */
  readonly logger?: Logger;
  /** Makes the connections to upstreams; the bench puts others in its place. */
  readonly httpClient?: HttpClientFactory;
  /** The stores of the config (`openStores`); they are the app's from now on. In memory by default. */
  readonly stores?: Stores;
  /** How many connections of clients are open now; null, as by default, where nobody knows. */
  readonly clientConnections?: () => number | null;
  /** The interceptors of the config (`loadPipelines`); they are the app's from now on. */
  readonly pipelines?: Pipelines;
  /** Loads the config anew, for the admin address; left out where it came from no file. */
  readonly reload?: (() => Promise<ReloadOutcome>) | undefined;
}

/** A wired proxy that does not listen yet. */
export interface App {
  /** Answers clients. */
  readonly handler: Handler;
  /** Answers on the admin address. */
  readonly admin: Handler;
  /** Ends subscriptions and lets calls finish, for good. */
  drain(): void;
  /** Whether clients are to connect anew, so that they come to another instance. */
  isDraining(): boolean;
  /** Cuts every connection to the upstreams. */
  close(): Promise<void>;
}

/**
 * Wires a proxy for one config, which stays as it is for the app's lifetime.
 *
 * @throws {TypeError} where the config has interceptors that were not given: none may be passed over
 */
export function createApp(options: AppOptions): App {
  const { config, clock = systemClock, logger = nullLogger } = options;
  const parts = createParts(options);
  const { authenticator, drain } = parts;
  const routes = new Map<string, Route>();
  for (const route of config.routes) {
    for (const [path, wired] of wireRoute(parts, route)) routes.set(path, wired);
  }
  const door = doorRules(config);
  const startedMs = clock.monotonicMs();
  const uptimeMs = () => Math.round(clock.monotonicMs() - startedMs);
  return {
    handler: createHandler({ door, authenticator, routes, logger, clock }),
    admin: adminHandler(door, {
      uptimeMs,
      snapshot: () => ({ uptimeMs: uptimeMs(), ...snapshotOf(parts) }),
      sessions: new SessionPages({
        sessions: parts.sessions,
        streamsOf: (session) => parts.streams.get(session.route)?.told(session) ?? [],
        nameOf: authenticator.nameOf,
        clock,
      }),
      routes: () => config.routes.map(({ name }) => ({ name, targets: parts.targets.get(name) })),
      failingStores: storeCheck({ stores: parts.stores, config, clock, logger }),
      drain,
      logger,
      reload: options.reload,
    }),
    drain: () => drain.stop(),
    isDraining: () => drain.isDraining,
    close: () => closeParts(parts),
  };
}

function snapshotOf(
  { options, sessions, drain, live, stores, figures }: Parts,
): Omit<Snapshot, "uptimeMs"> {
  const { draining, answersUnderWay, subscriptions, clientConnections } = drain.told();
  return {
    draining,
    routes: options.config.routes.map(({ name, path }) => ({
      name,
      path,
      upstream: figures.get(name)?.() ?? {},
    })),
    clientConnections,
    sessions: sessions.size,
    principals: sessions.principals,
    answersUnderWay,
    subscriptions,
    streams: { held: live.size, unattended: live.unattended },
    eventLog: stores.log?.size ?? null,
  };
}

/** What all routes have in common. */
interface Parts {
  readonly options: AppOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Time whose timers are shared. */
  readonly timers: ReturnType<typeof sharedTimers>;
  readonly authenticator: Authenticator;
  readonly stores: Stores;
  readonly sessions: SessionTable;
  readonly abandoned: AbandonedSessions;
  readonly exchanges: Exchanges;
  readonly drain: Drain;
  readonly live: LiveStreams;
  readonly instances: Instances | undefined;
  /** Calls from instance to instance; undefined where there is but one. */
  readonly peerCalls: PeerCalls | undefined;
  readonly upstreams: Upstream[];
  /** What is going on with the servers, by the names of the routes. */
  readonly figures: Map<string, () => UpstreamFigures>;
  /** What calls are balanced over, by the names of the routes. */
  readonly targets: Map<string, RouteTargets>;
  /** What has passed on the streams of sessions, by the names of the routes that the sessions have. */
  readonly streams: Map<string, Pick<Streams, "told">>;
}

function createParts(options: AppOptions): Parts {
  const { config, clock = systemClock, logger = nullLogger } = options;
  const stores = options.stores ?? memoryStores(config, { clock, logger });
  const { log, directory, messages } = stores;
  const timers = sharedTimers(clock);
  const live = new LiveStreams();
  const exchanges = new Exchanges();
  const clientConnections = options.clientConnections ?? (() => null);
  const abandoned = new AbandonedSessions(logger);
  const sessions = new SessionTable({
    clock,
    ids: stores.ids,
    store: stores.sessions,
    limits: config.limits,
    onAbandoned: (session) => abandoned.end(session),
    onStoreFailure: (error) => logger.warn("the store of sessions failed", { error }),
  });
  const instances = log && directory &&
    new Instances({ directory, log, limits: relayLimits(config, timers), clock, live });
  return {
    options,
    clock,
    logger,
    timers,
    authenticator: config.auth.keys.length === 0 ? anybody : apiKeys(config.auth),
    stores,
    sessions,
    abandoned,
    exchanges,
    drain: new Drain({ exchanges, logger, clientConnections }),
    live,
    instances,
    peerCalls: messages && new PeerCalls({
      messages,
      clock: timers,
      bounds: { maxBodyBytes: config.limits.maxRequestBytes },
    }),
    upstreams: [],
    figures: new Map(),
    targets: new Map(),
    streams: new Map(),
  };
}

/** What answers for a route, by the paths under which it does. */
function wireRoute(parts: Parts, route: RouteConfig): [path: string, wired: Route][] {
  const { options, timers, clock, logger, sessions, exchanges, live } = parts;
  const { config } = options;
  const { upstream, figures, targets } = openUpstream(route, {
    config,
    clock,
    timers,
    logger,
    withheld: parts.authenticator.credentialFields,
    sealer: parts.stores.sealer,
    anonymous: ANONYMOUS.id,
    peerCalls: parts.peerCalls,
    httpClient: options.httpClient,
  });
  parts.upstreams.push(upstream);
  parts.figures.set(route.name, figures);
  if (targets !== undefined) parts.targets.set(route.name, targets);
  parts.abandoned.serve(route.name, upstream);
  const recovery = new Recovery({ upstream, sessions, logger, clock });
  const streams = new Streams({
    log: parts.stores.log,
    limits: relayLimits(config, timers),
    clock,
    backOff: route.upstream.reconnect,
    live,
    upstream,
    sessions,
    recovery,
    instances: parts.instances,
  });
  parts.streams.set(route.name, streams);
  const common = {
    route: route.name,
    upstream,
    sessions,
    exchanges,
    recovery,
    interceptors: interceptorsOf(route, config, upstream, options),
    limits: { ...config.limits, maxDepth: config.limits.maxJsonDepth },
  };
  const front = streamableHttpFront({ ...common, streams });
  return [[route.path, { name: route.name, front }], ...wireHttpSse(parts, route, common)];
}

/** The same route for clients of HTTP+SSE. */
function wireHttpSse(
  { abandoned, streams, timers, logger }: Parts,
  { path, name, upstream: { reconnect: backOff } }: RouteConfig,
  common: Omit<FrontOptions, "streams">,
): [path: string, wired: Route][] {
  const paths = httpSsePaths(path);
  const front = new HttpSseFront({
    ...common,
    messagesPath: paths.messages,
    abandoned,
    backOff,
    logger,
    clock: timers,
  });
  abandoned.serve(httpSseSessions(name), common.upstream);
  streams.set(httpSseSessions(name), front);
  return [
    ...paths.streams.map((one): [string, Route] => [one, { name, front: front.stream }]),
    [paths.messages, { name, front: front.messages }],
  ];
}

async function closeParts(parts: Parts): Promise<void> {
  const { live, sessions, abandoned, upstreams, peerCalls, timers, stores, options } = parts;
  live.close(new ProxyError("upstream_closed", "The proxy is stopping."));
  sessions.stop();
  abandoned.close();
  await Promise.all(upstreams.map((upstream) => upstream.close()));
  await peerCalls?.close();
  timers.close();
  await stores.close();
  const pipelines = [...options.pipelines?.values() ?? []];
  await Promise.all(pipelines.map((pipeline) => pipeline.close()));
}

function interceptorsOf(
  route: RouteConfig,
  { interceptors, limits }: Config,
  upstream: Upstream,
  { pipelines, logger = nullLogger }: AppOptions,
): InterceptorsOptions | undefined {
  const pipeline = pipelines?.get(route.path);
  if (pipeline !== undefined) {
    return { route: route.name, pipeline, upstream, logger, maxBytes: limits.maxEventBytes };
  }
  if (interceptors.length + route.interceptors.length === 0) return undefined;
  throw new TypeError(
    `The interceptors of ${route.path} were not loaded; give loadPipelines(config).`,
  );
}

function relayLimits({ limits, eventLog }: Config, clock: Clock): RelayLimits {
  return {
    ...limits,
    clock,
    maxAheadBytes: eventLog.maxStreamBytes,
    maxAheadEvents: eventLog.maxStreamEvents,
  };
}

function doorRules(config: Config): DoorRules {
  const lower = (values: readonly string[]) => new Set(values.map((value) => value.toLowerCase()));
  return { hosts: lower(config.allowedHosts), origins: lower(config.allowedOrigins) };
}
