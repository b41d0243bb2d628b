/**
 * All that is made of one config and goes with it: the rules at the door, who may call, the routes with their
 * fronts. A request keeps to the generation at work when it is known
 * who sends it.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import type { Parts } from "./app_parts.ts";
import { type Callers, callersOf } from "./callers.ts";
import {
  backOffOf,
  type Config,
  httpSsePaths,
  type LimitsConfig,
  type RouteConfig,
} from "./config/mod.ts";
import {
  type DoorRules,
  type FrontOptions,
  type FrontUse,
  HttpSseClients,
  HttpSseFront,
  httpSseSessions,
  type InterceptorsOptions,
  ListedTools,
  type ServedRoute,
  streamableHttpFront,
  Streams,
} from "./front/mod.ts";
import type { HandlerRules, Route } from "./handler.ts";
import { Held } from "./holds.ts";
import type { Pipeline, Pipelines } from "./interceptors.ts";
import { findMetadata } from "./server_oauth/mod.ts";
import { type RouteServer, serversOf } from "./route_servers.ts";

/** A route as one config has it. */
export interface RunningRoute {
  /** What the config says of it. */
  readonly config: RouteConfig;
  /** The server behind it. */
  readonly server: RouteServer;
  /** Its interceptors, if there are any. */
  readonly pipeline: Held<Pipeline> | undefined;
  /** What clients may use of it. */
  readonly limits: LimitsConfig;
  /** What answers for it, by the paths under which it does. */
  readonly fronts: readonly (readonly [path: string, wired: Route])[];
  /** The route as the streams see it that an earlier generation has begun. */
  readonly served: ServedRoute;
}

/** What one config is at work. */
export interface Generation extends HandlerRules, Callers {
  /** The config. */
  readonly config: Config;
  /** The routes by their names. */
  readonly running: ReadonlyMap<string, RunningRoute>;
}

/** What generations are made with. */
export interface GenerationOptions {
  /** What all of them have in common. */
  readonly parts: Parts;
  /** The one that is at work. */
  readonly current: () => Generation | undefined;
}

/**
 * Makes the generation of a config, which shares with the one at work what is the same in both. Nothing
 * changes for anybody by it.
 *
 * @param pipelines the interceptors of the config
 * @throws {ConfigError} where certificates cannot be used, or a program may not be run
 * @throws {TypeError} where interceptors are missing among `pipelines`
 */
export function nextGeneration(
  options: GenerationOptions,
  config: Config,
  pipelines: Pipelines,
): Generation {
  requirePipelines(config, pipelines);
  const before = options.current();
  const { authenticator, oauth, metadata } = callersOf(options.parts, config, before);
  const known = [...before?.running.values() ?? []];
  const servers = new Map(known.map(({ config: { name }, server }) => [name, server]));
  const byRoute = serversOf(options.parts, config, authenticator, servers);
  const held = new Map(
    known.flatMap(({ pipeline }) => pipeline ? [[pipeline.value, pipeline]] : []),
  );
  const running = new Map(config.routes.map((route) => {
    const pipeline = pipelines.get(route.path);
    const next = {
      config: route,
      server: byRoute.get(route.name)!,
      pipeline: pipeline &&
        (held.get(pipeline) ?? new Held(pipeline, () => pipeline.close())),
      limits: config.limits,
    };
    return [route.name, runningRoute(options, next, before?.running.get(route.name))];
  }));
  const routes = new Map([...running.values()].flatMap(({ fronts }) => fronts));
  const { publicUrl } = config;
  return {
    config,
    door: doorRules(config),
    authenticator,
    oauth,
    // Where tokens are for the proxy none goes to a server, whose metadata nobody needs then.
    metadata: oauth === undefined
      ? (path, publicUrl) => findMetadata(path, publicUrl, routes)
      : metadata,
    routes,
    running,
    publicUrl,
  };
}

function requirePipelines({ interceptors, routes }: Config, pipelines: Pipelines): void {
  for (const route of routes) {
    if (interceptors.length + route.interceptors.length === 0) continue;
    if (pipelines.has(route.path)) continue;
    throw new TypeError(
      `The interceptors of ${route.path} were not loaded; give loadPipelines(config).`,
    );
  }
}

type Wiring = Pick<RunningRoute, "config" | "server" | "pipeline" | "limits">;

/** The one before where all that its fronts were made with is the same. */
function runningRoute(
  options: GenerationOptions,
  next: Wiring,
  before: RunningRoute | undefined,
): RunningRoute {
  const isSame = before !== undefined && before.server.held === next.server.held &&
    before.pipeline === next.pipeline && before.config.path === next.config.path &&
    isDeepStrictEqual(before.limits, next.limits);
  if (isSame) return { ...before, ...next };
  const use = useOf(options, next);
  const { recovery, held: { value: { upstream } } } = next.server;
  const served = { upstream, recovery, use };
  return { ...next, served, fronts: wireRoute(options, next, served) };
}

/** Server and interceptors are closed when nobody holds them any more. */
function useOf(
  { parts: { clock }, current }: GenerationOptions,
  { config: { name }, server: { held }, pipeline }: Wiring,
): FrontUse {
  return {
    enter() {
      held.enter();
      pipeline?.enter();
    },
    leave() {
      held.leave();
      pipeline?.leave();
    },
    hold() {
      const releases = [held.hold(), pipeline?.hold()];
      return () => releases.forEach((release) => release?.());
    },
    holdInterceptors: () => pipeline?.hold() ?? (() => {}),
    get isOver() {
      return held.isClosed;
    },
    serves({ id, validUntilMs, authority }) {
      const now = current();
      if (validUntilMs !== undefined && clock.now().getTime() >= validUntilMs) return false;
      // A token that another config has let in may be none by this one, in scope, audience or signature (R91).
      if (authority !== undefined && authority !== now?.oauth) return false;
      return now !== undefined && now.running.has(name) &&
        now.authenticator.nameOf(id) !== undefined;
    },
  };
}

/** What answers for a route, by the paths under which it does. */
function wireRoute(
  { parts, current }: GenerationOptions,
  { config: { name, path, upstream: server }, server: routeServer, pipeline, limits }: Wiring,
  served: Required<ServedRoute>,
): [path: string, wired: Route][] {
  const { clock, live, book, instances, relayLimits, sessions, exchanges } = parts;
  const { upstream, recovery } = served;
  const { metadata } = routeServer.held.value;
  const use = served.use!;
  const backOff = backOffOf(server);
  const forwardsCredentials = server.credentials === "forward";
  const streams = new Streams({
    log: parts.stores.log,
    limits: relayLimits,
    clock,
    backOff,
    live,
    upstream,
    sessions,
    recovery,
    instances,
    book,
    use,
    forwardsCredentials,
    current: () => current()?.running.get(name)?.served,
  });
  const interceptors: InterceptorsOptions | undefined = pipeline && {
    route: name,
    pipeline: pipeline.value,
    upstream,
    logger: parts.logger,
    maxBytes: limits.maxEventBytes,
    tools: new ListedTools(clock),
  };
  const common = {
    route: name,
    upstream,
    sessions,
    exchanges,
    recovery,
    logger: parts.logger,
    meter: parts.meter,
    interceptors,
    limits: { ...limits, maxDepth: limits.maxJsonDepth },
    use,
  };
  const front = streamableHttpFront({ ...common, streams });
  const wired: [string, Route][] = [
    [path, { name, front, use }],
    ...wireHttpSse(parts, { name, path, backOff, forwardsCredentials }, common),
  ];
  return wired.map(([at, route]) => [at, { ...route, metadata }]);
}

/** The same route for clients of HTTP+SSE. */
function wireHttpSse(
  { abandoned, book, sseClients, timers }: Parts,
  { name, path, backOff, forwardsCredentials }: Pick<RouteConfig, "name" | "path"> & {
    readonly backOff: ReturnType<typeof backOffOf>;
    readonly forwardsCredentials: boolean;
  },
  common: Omit<FrontOptions, "streams"> & { readonly use: FrontUse },
): [path: string, wired: Route][] {
  const paths = httpSsePaths(path);
  let clients = sseClients.get(httpSseSessions(name));
  if (clients === undefined) {
    clients = new HttpSseClients();
    sseClients.set(httpSseSessions(name), clients);
  }
  const front = new HttpSseFront({
    ...common,
    messagesPath: paths.messages,
    abandoned,
    book,
    backOff,
    forwardsCredentials,
    clock: timers,
    clients,
  });
  const { use } = common;
  return [
    ...paths.streams.map((one): [string, Route] => [one, { name, front: front.stream, use }]),
    [paths.messages, { name, front: front.messages, use }],
  ];
}

function doorRules(config: Config): DoorRules {
  const lower = (values: readonly string[]) => new Set(values.map((value) => value.toLowerCase()));
  return { hosts: lower(config.allowedHosts), origins: lower(config.allowedOrigins) };
}
