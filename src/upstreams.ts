/**
 * From the config of a route to the server behind it: over HTTP, HTTP+SSE or stdio, with sessions of their
 * clients' own or shared.
 *
 * @module
 */

import {
  asModern,
  asSession,
  bridged,
  type Bridges,
  type ModernBridge,
  type ServerEras,
  type SessionBridge,
  type StateSealer,
} from "./bridge/mod.ts";
import {
  type ChannelUpstream,
  channelUpstream,
  type ChannelUpstreamOptions,
  httpSseChannel,
  stdioChannel,
} from "./channel/mod.ts";
import type { Clock } from "./clock.ts";
import {
  type Config,
  ConfigError,
  type RouteConfig,
  type StdioConfig,
  type UpstreamConfig,
} from "./config/mod.ts";
import type { PeerCalls } from "./peers/mod.ts";
import type { RouteTargets } from "./balance/mod.ts";
import { sharedUpstream } from "./share/mod.ts";
import type { Logger } from "./telemetry/mod.ts";
import {
  http1Client,
  http2Client,
  type HttpClientFactory,
  parseTarget,
  requestFields,
  streamableHttpUpstream,
  type TlsOptions,
  type Upstream,
  withDashes,
} from "./upstream/mod.ts";

/** What upstreams are made with. */
export interface UpstreamDeps {
  /** The whole config. */
  readonly config: Config;
  /** Time for waits of any length, and randomness. */
  readonly clock: Clock;
  /** Time whose timers are shared. */
  readonly timers: Clock;
  /** Where failures are told. */
  readonly logger: Logger;
  /** Fields, in lower case, that hold credentials for the proxy itself and never go upstream (R93). */
  readonly withheld: readonly string[];
  /** Seals what clients are to give back. */
  readonly sealer: StateSealer;
  /** Id of the principal that stands for everybody who is not told apart. */
  readonly anonymous: string;
  /** Calls from instance to instance; left out where there is but one. */
  readonly peerCalls?: PeerCalls | undefined;
  /** Makes the connections; the proxy's own where it is left out. */
  readonly httpClient?: HttpClientFactory | undefined;
}

/** What is going on with a server, by the part that tells it: `eras`, `asModern`, `asSession`, `shared`, `channel`. */
export type UpstreamFigures = Readonly<Record<string, unknown>>;

/** A server that was opened. */
export interface OpenedUpstream {
  /** As its clients see it. */
  readonly upstream: Upstream;
  /** Figures for the admin pages: numbers and names of methods, nothing of who and where. */
  figures(): UpstreamFigures;
  /** What its calls are balanced over; left out for a program. */
  readonly targets?: RouteTargets | undefined;
}

/**
 * The server behind a route as its clients see it, whatever era they and it are of.
 *
 * @throws {ConfigError} where certificates cannot be used, or a program may not be run
 */
export function openUpstream(route: RouteConfig, deps: UpstreamDeps): OpenedUpstream {
  const { stdio, era } = route.upstream;
  const server = openServer(route, deps);
  if (era === "both") return server;
  let bridges: OpenedBridges | undefined;
  const upstream = bridged(server.upstream, {
    clock: deps.timers,
    timeoutMs: PROBE_TIMEOUT_MS,
    isStdio: stdio !== undefined,
    pinned: pinnedEras(route.upstream),
    open: (onDoubt) => bridges = openBridges(server.upstream, route, deps, onDoubt),
  });
  const figures = () => ({
    eras: { modern: upstream.eras.modern ?? null, session: upstream.eras.session ?? null },
    ...(bridges !== undefined &&
      { asModern: bridges.asModern.stats(), asSession: bridges.asSession.stats() }),
    ...server.figures(),
  });
  return { ...server, upstream, figures };
}

/** Both bridges, with what is going on on them. */
type OpenedBridges = Bridges & {
  readonly asModern: ModernBridge;
  readonly asSession: SessionBridge;
};

/** Longest wait for what a server says of the revisions that it speaks, in milliseconds. */
const PROBE_TIMEOUT_MS = 5_000;

/** What need not be found out; HTTP+SSE is a transport of sessions alone. */
function pinnedEras({ era, transport }: UpstreamConfig): ServerEras | undefined {
  if (era === "session" || transport === "http+sse") return { modern: false, session: true };
  return era === "modern" ? { modern: true, session: false } : undefined;
}

/** Both bridges of a server. Its clients' credentials go to another instance only where they go upstream. */
function openBridges(
  server: Upstream,
  { name, upstream }: RouteConfig,
  { timers, logger, sealer, anonymous, withheld, peerCalls, config: { limits } }: UpstreamDeps,
  onDoubt: () => void,
): OpenedBridges {
  const { stdio, transport, sessions, reconnect, headersTimeoutMs, streamIdleTimeoutMs } = upstream;
  const kept = withDashes(withheld);
  const common = {
    clock: timers,
    logger,
    maxEventBytes: limits.maxEventBytes,
    backOff: reconnect,
    streamIdleMs: streamIdleTimeoutMs,
    firstMessageMs: headersTimeoutMs,
    onDoubt,
  };
  return {
    asModern: asModern(server, {
      ...common,
      peers: peerCalls?.service(`${name}/as_modern`),
      seal: sealer,
      anonymous,
      sharesSessions: sessions === "shared",
      asksApart: stdio === undefined && transport !== "http+sse",
      ...(stdio !== undefined && { bounds: processBounds(stdio) }),
    }),
    asSession: asSession(server, {
      ...common,
      peers: peerCalls?.service(
        `${name}/as_session`,
        (headers) => requestFields(headers, upstream.credentials === "forward", kept),
      ),
      maxSessions: limits.maxSessions,
      sessionIdleMs: limits.sessionIdleTimeoutMs,
    }),
  };
}

/** The bridge's share of the programs that may run: those in stock stand in the way of clients with sessions. */
function processBounds({ maxProcesses }: StdioConfig) {
  return {
    maxSessions: maxProcesses,
    stockSize: 1,
    maxStock: Math.floor(maxProcesses / STOCK_SHARE),
  };
}

/** One of so many programs may wait for anonymous modern clients. */
const STOCK_SHARE = 4;

/** The server as clients of its own era see it: each in a session of its own, or together in one. */
function openServer(route: RouteConfig, deps: UpstreamDeps): OpenedUpstream {
  const { stdio, sessions, reconnect } = route.upstream;
  const server = stdio === undefined
    ? httpUpstream(route, deps)
    : onChannel(stdioUpstream(route, stdio, deps));
  if (sessions === "dedicated") return server;
  const { clock, config: { limits } } = deps;
  const upstream = sharedUpstream(server.upstream, {
    clock,
    backOff: reconnect,
    maxEventBytes: limits.maxEventBytes,
    memberIdleMs: limits.sessionIdleTimeoutMs,
    maxMembers: limits.maxSessions,
  });
  return {
    ...server,
    upstream,
    figures: () => ({ shared: upstream.stats(), ...server.figures() }),
  };
}

function onChannel(upstream: ChannelUpstream): OpenedUpstream {
  return { upstream, figures: () => ({ channel: upstream.stats() }) };
}

function httpUpstream(route: RouteConfig, deps: UpstreamDeps): OpenedUpstream {
  const { config: { limits }, timers: clock, withheld, httpClient } = deps;
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
    withheld,
    timeouts: {
      headersMs: upstream.headersTimeoutMs,
      totalMs: upstream.totalTimeoutMs,
      bodyIdleMs: upstream.bodyIdleTimeoutMs,
      streamIdleMs: upstream.streamIdleTimeoutMs,
    },
  };
  if (upstream.transport === "streamable-http") {
    return { upstream: streamableHttpUpstream(client, spoken), figures: () => ({}) };
  }
  const open = httpSseChannel(client, {
    ...spoken,
    target,
    endpointTimeoutMs: upstream.connectTimeoutMs,
    maxEventBytes: limits.maxEventBytes,
    clock,
  });
  return onChannel(channelUpstream(open, {
    ...channelOptions(deps, upstream, upstream.maxStreams),
    beneath: client,
  }));
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
  { name, upstream }: RouteConfig,
  stdio: StdioConfig,
  deps: UpstreamDeps,
): ChannelUpstream {
  const { timers: clock, logger, config: { limits } } = deps;
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
  return channelUpstream(open, {
    ...channelOptions(deps, upstream, stdio.maxProcesses),
    modern: true,
  });
}

function channelOptions(
  { timers: clock, logger, config: { limits } }: UpstreamDeps,
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
