/**
 * The composition root: a config in, handlers out. The only place that wires everything.
 *
 * @module
 */

import { adminHandler, SessionPages, type Snapshot } from "./admin/mod.ts";
import { anybody, apiKeys, type Authenticator } from "./auth/mod.ts";
import {
  channelUpstream,
  type ChannelUpstreamOptions,
  httpSseChannel,
  stdioChannel,
} from "./channel/mod.ts";
import { type Clock, systemClock } from "./clock.ts";
import { sharedTimers } from "./deadlines.ts";
import {
  type Config,
  ConfigError,
  httpSsePaths,
  type RouteConfig,
  type StdioConfig,
  type UpstreamConfig,
} from "./config/mod.ts";
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
import { Instances, LiveStreams, type RelayLimits } from "./relay/mod.ts";
import { SessionTable } from "./session/mod.ts";
import { sharedUpstream } from "./share/mod.ts";
import { memoryStores, type Stores } from "./stores.ts";
import { type Logger, nullLogger } from "./telemetry/mod.ts";
import {
  http1Client,
  http2Client,
  type HttpClientFactory,
  parseTarget,
  streamableHttpUpstream,
  type TlsOptions,
  type Upstream,
} from "./upstream/mod.ts";

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
}

/** A wired proxy that does not listen yet. */
export interface App {
  /** Answers clients. */
  readonly handler: Handler;
  /** Answers on the admin address. */
  readonly admin: Handler;
  /** Ends subscriptions and lets calls finish. */
  drain(): void;
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
  const { authenticator, exchanges } = parts;
  const routes = new Map<string, Route>();
  for (const route of config.routes) {
    for (const [path, wired] of wireRoute(parts, route)) routes.set(path, wired);
  }
  const door = doorRules(config);
  const startedMs = clock.monotonicMs();
  const state = { draining: false };
  return {
    handler: createHandler({ door, authenticator, routes, logger, clock }),
    admin: adminHandler(door, {
      snapshot: () => ({
        draining: state.draining,
        uptimeMs: Math.round(clock.monotonicMs() - startedMs),
        ...snapshotOf(parts),
      }),
      sessions: new SessionPages({
        sessions: parts.sessions,
        streamsOf: (session) => parts.streams.get(session.route)?.told(session) ?? [],
        nameOf: authenticator.nameOf,
        clock,
      }),
    }),
    drain() {
      state.draining = true;
      exchanges.drain();
    },
    close: () => closeParts(parts),
  };
}

function snapshotOf(
  { options, sessions, exchanges, live, stores }: Parts,
): Omit<Snapshot, "draining" | "uptimeMs"> {
  return {
    routes: options.config.routes.map(({ name, path }) => ({ name, path })),
    clientConnections: options.clientConnections?.() ?? null,
    sessions: sessions.size,
    principals: sessions.principals,
    answersUnderWay: exchanges.size,
    subscriptions: exchanges.subscriptions,
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
  readonly live: LiveStreams;
  readonly instances: Instances | undefined;
  readonly upstreams: Upstream[];
  /** What has passed on the streams of sessions, by the names of the routes that the sessions have. */
  readonly streams: Map<string, Pick<Streams, "told">>;
}

function createParts(options: AppOptions): Parts {
  const { config, clock = systemClock, logger = nullLogger } = options;
  const stores = options.stores ?? memoryStores(config, { clock, logger });
  const { log, directory } = stores;
  const timers = sharedTimers(clock);
  const live = new LiveStreams();
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
    exchanges: new Exchanges(),
    live,
    instances,
    upstreams: [],
    streams: new Map(),
  };
}

/** What answers for a route, by the paths under which it does. */
function wireRoute(parts: Parts, route: RouteConfig): [path: string, wired: Route][] {
  const { options, timers, clock, logger, sessions, exchanges, live } = parts;
  const { config } = options;
  const upstream = upstreamOf(parts, route);
  parts.upstreams.push(upstream);
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
  const { live, sessions, abandoned, upstreams, timers, stores, options } = parts;
  live.close(new ProxyError("upstream_closed", "The proxy is stopping."));
  sessions.stop();
  abandoned.close();
  await Promise.all(upstreams.map((upstream) => upstream.close()));
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

function createUpstream(parts: Parts, route: RouteConfig): Upstream {
  const { options, timers: clock, authenticator: { credentialFields } } = parts;
  const { httpClient } = options;
  const { upstream } = route;
  // The schema lets both be left out; `loadConfig` does not.
  const address = parseTarget(upstream.url ?? "", readTls(route));
  if (address === undefined) throw noUpstream(route);
  const { target, path, query } = address;
  const makeClient = httpClient ?? (upstream.http2 ? http2Client : http1Client);
  const client = makeClient({
    target,
    connectTimeoutMs: upstream.connectTimeoutMs,
    maxConnections: upstream.maxConnections,
    maxStreams: upstream.maxStreams,
    maxQueued: upstream.maxQueued,
    queueTimeoutMs: upstream.queueTimeoutMs,
    keepAliveMs: upstream.keepAliveMs,
    clock,
  });
  const spoken = {
    path,
    query,
    headers: upstream.headers,
    forwardCredentials: upstream.credentials === "forward",
    withheld: credentialFields,
    timeouts: {
      headersMs: upstream.headersTimeoutMs,
      totalMs: upstream.totalTimeoutMs,
      bodyIdleMs: upstream.bodyIdleTimeoutMs,
      streamIdleMs: upstream.streamIdleTimeoutMs,
    },
  };
  if (upstream.transport === "streamable-http") return streamableHttpUpstream(client, spoken);
  const { limits } = options.config;
  const open = httpSseChannel(client, {
    ...spoken,
    target,
    endpointTimeoutMs: upstream.connectTimeoutMs,
    maxEventBytes: limits.maxEventBytes,
    clock,
  });
  return channelUpstream(open, {
    ...channelOptions(parts, upstream, upstream.maxStreams),
    beneath: client,
  });
}

/** Bounds of sessions on channels that no config needs to change. */
const CHANNEL_BOUNDS = {
  maxRequests: 1_000,
  maxStreams: 4,
  maxWaitingMessages: 1_000,
  maxWaitingCharacters: 1_048_576,
  patienceMs: 5_000,
};

/** A server that is a program: a process for each session. */
function stdioUpstream(
  parts: Parts,
  { name, upstream }: RouteConfig,
  stdio: StdioConfig,
): Upstream {
  const { timers: clock, logger, options: { config: { limits } } } = parts;
  requireRun(name, stdio);
  const open = stdioChannel({
    ...stdio,
    name,
    maxMessageBytes: limits.maxEventBytes,
    maxPendingBytes: 4 * limits.maxRequestBytes,
    backOff: upstream.reconnect,
    clock,
    logger,
  });
  return channelUpstream(open, channelOptions(parts, upstream, stdio.maxProcesses));
}

function channelOptions(
  { timers: clock, logger, options: { config: { limits } } }: Parts,
  upstream: UpstreamConfig,
  maxSessions: number,
): ChannelUpstreamOptions {
  return {
    clock,
    logger,
    shared: upstream.sessions === "shared",
    limits: {
      ...CHANNEL_BOUNDS,
      maxSessions,
      firstMessageMs: upstream.headersTimeoutMs,
      streamIdleMs: upstream.streamIdleTimeoutMs,
      sessionIdleMs: limits.sessionIdleTimeoutMs,
    },
  };
}

/** Told at the start rather than to the first client. */
function requireRun(name: string, { command }: StdioConfig): void {
  const { state } = Deno.permissions.querySync({ name: "run", command });
  if (state === "granted") return;
  throw new ConfigError([{
    path: `upstream.stdio of the route ${name}`,
    found: "a program, which this process may not run",
    wanted: "the permission to run it: deno run -P=stdio, or --allow-run",
  }]);
}

function noUpstream({ name }: RouteConfig): ConfigError {
  return new ConfigError([{
    path: `upstream.url of the route ${name}`,
    found: "nothing",
    wanted: "the URL of the server, or stdio with the command that starts it",
  }]);
}

/** The server as its clients see it: each in a session of its own, or together in one. */
function upstreamOf(parts: Parts, route: RouteConfig): Upstream {
  const { options, clock } = parts;
  const upstream = route.upstream.stdio === undefined
    ? createUpstream(parts, route)
    : stdioUpstream(parts, route, route.upstream.stdio);
  if (route.upstream.sessions === "dedicated") return upstream;
  const { limits } = options.config;
  return sharedUpstream(upstream, {
    clock,
    backOff: route.upstream.reconnect,
    maxEventBytes: limits.maxEventBytes,
    memberIdleMs: limits.sessionIdleTimeoutMs,
    maxMembers: limits.maxSessions,
  });
}

function readTls({ name, upstream: { tls } }: RouteConfig): TlsOptions {
  const read = (key: "caFile" | "certFile" | "keyFile") => {
    const file = tls[key];
    if (file === undefined) return undefined;
    const refuse = (why: string) =>
      new ConfigError([{
        path: `upstream.tls.${key} of the route ${name}`,
        found: `${file}, which ${why}`,
        wanted: "a readable PEM file",
      }]);
    let text: string;
    try {
      text = Deno.readTextFileSync(file);
    } catch (error) {
      throw refuse(`cannot be read (${error instanceof Error ? error.message : error})`);
    }
    if (!/-----BEGIN [A-Z ]+-----/.test(text)) throw refuse("holds no PEM block");
    return text;
  };
  const ca = read("caFile");
  const certificates = {
    caCerts: ca === undefined ? [] : [ca],
    cert: read("certFile"),
    key: read("keyFile"),
  };
  checkTls(name, certificates);
  return certificates;
}

/** Has the runtime read the certificates once, so that what is wrong with them is told at the start. */
function checkTls(name: string, { caCerts, cert, key }: TlsOptions): void {
  if (caCerts.length === 0 && cert === undefined) return;
  const pair = cert !== undefined && key !== undefined ? { cert, key } : {};
  try {
    Deno.createHttpClient({ caCerts: [...caCerts], ...pair }).close();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{
      path: `upstream.tls of the route ${name}`,
      found: `certificates that cannot be used (${reason})`,
      wanted: "certificates in PEM, and a key that belongs to the client's",
    }]);
  }
}

function doorRules(config: Config): DoorRules {
  const lower = (values: readonly string[]) => new Set(values.map((value) => value.toLowerCase()));
  return { hosts: lower(config.allowedHosts), origins: lower(config.allowedOrigins) };
}
