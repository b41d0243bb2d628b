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
import type { RouteTargets } from "./balance/mod.ts";
import { type ChannelUpstream, channelUpstream, stdioChannel } from "./channel/mod.ts";
import { channelOptions } from "./channel_options.ts";
import {
  backOffOf,
  ConfigError,
  type RouteConfig,
  type StdioConfig,
  type UpstreamConfig,
} from "./config/mod.ts";
import { countedUpstream } from "./counted_upstream.ts";
import { UNNAMED } from "./http/mod.ts";
import type { PeerCalls } from "./peers/mod.ts";
import type { RouteTokens } from "./route_tokens.ts";
import { sharedUpstream } from "./share/mod.ts";
import type { MetadataLookup } from "./server_oauth/mod.ts";
import { type OpenedTargets, openTargets, type TargetDeps } from "./targets.ts";
import { requestFields, type Upstream, withDashes } from "./upstream/mod.ts";

/** What upstreams are made with. */
export interface UpstreamDeps extends TargetDeps {
  /** Seals what clients are to give back. */
  readonly sealer: StateSealer;
  /** Id of the principal that stands for everybody who is not told apart. */
  readonly anonymous: string;
  /** Calls from instance to instance; left out where there is but one. */
  readonly peerCalls?: PeerCalls | undefined;
}

/** What is going on with a server, by the part that tells it: `eras`, `asModern`, `asSession`, `shared`, `channel`. */
export type UpstreamFigures = Readonly<Record<string, unknown>>;

/** A server that was opened. */
export interface OpenedUpstream {
  /** As its clients see it. */
  readonly upstream: Upstream;
  /** Its targets; undefined where it is a program. */
  readonly targets?: RouteTargets | undefined;
  /** What its OAuth clients are to know; undefined where no token of theirs goes to it. */
  readonly metadata?: MetadataLookup | undefined;
  /** The proxy's own access tokens for it; undefined where it has no credentials of its own. */
  readonly tokens?: RouteTokens | undefined;
  /**
   * Takes another config of the same route over in place, without a break for anybody.
   *
   * @returns whether that can be done: nothing else differs than targets, policy, and settings of health
   * @throws {ConfigError} where certificates cannot be used; then nothing has changed
   */
  update(route: RouteConfig): boolean;
  /** Resolves when no answer of it is under way: at once where none is, whatever begins afterwards. */
  whenIdle(): Promise<void>;
  /** Figures for the admin pages: numbers and names of methods, nothing of who and where. */
  figures(): UpstreamFigures;
}

/**
 * The server behind a route as its clients see it, whatever era they and it are of.
 *
 * @throws {ConfigError} where certificates cannot be used, or a program may not be run
 */
export function openUpstream(route: RouteConfig, deps: UpstreamDeps): OpenedUpstream {
  const server = openServer(route, deps);
  const { targets } = server;
  if (route.upstream.era === "both" && server.upstream === targets?.balancer) {
    // The balancer counts what is under way already.
    const { balancer: upstream } = targets;
    return { ...opened(route, upstream, server), whenIdle: () => upstream.whenIdle() };
  }
  const seen = bridgedServer(server, route, deps);
  const counted = countedUpstream(seen.upstream);
  return {
    ...opened(route, counted, { ...seen, targets }),
    whenIdle: () => counted.whenIdle(),
  };
}

function opened(
  route: RouteConfig,
  upstream: Upstream,
  { targets, figures }: Pick<OpenedServer, "targets" | "figures">,
): Omit<OpenedUpstream, "whenIdle"> {
  return {
    upstream,
    figures,
    targets: targets?.balancer,
    metadata: targets?.metadata,
    tokens: targets?.tokens,
    update(next) {
      if (targets === undefined || besideTargets(next) !== besideTargets(route)) return false;
      targets.update(next);
      return true;
    },
  };
}

/** What of a config a balancer cannot take over. */
function besideTargets({ upstream, ...route }: RouteConfig): string {
  const { targets: _targets, balance: _balance, health: _health, ...rest } = upstream;
  return JSON.stringify({ ...route, upstream: rest });
}

/** The server for clients of all eras; as it is where it speaks them itself. */
function bridgedServer(
  server: OpenedServer,
  route: RouteConfig,
  deps: UpstreamDeps,
): Pick<OpenedServer, "upstream" | "figures"> {
  const { stdio, era } = route.upstream;
  if (era === "both") return server;
  let bridges: OpenedBridges | undefined;
  const upstream = bridged(server.upstream, {
    clock: deps.timers,
    timeoutMs: PROBE_TIMEOUT_MS,
    isStdio: stdio !== undefined,
    startMs: stdio?.startTimeoutMs ?? 0,
    pinned: pinnedEras(route.upstream),
    open: (onDoubt) => bridges = openBridges(server.upstream, route, deps, onDoubt),
  });
  const figures = () => ({
    eras: { modern: upstream.eras.modern ?? null, session: upstream.eras.session ?? null },
    ...(bridges !== undefined &&
      { asModern: bridges.asModern.stats(), asSession: bridges.asSession.stats() }),
    ...server.figures(),
  });
  return { upstream, figures };
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
  const { stdio, transport, sessions, headersTimeoutMs, streamIdleTimeoutMs } = upstream;
  const kept = withDashes(withheld);
  const common = {
    clock: timers,
    logger,
    maxEventBytes: limits.maxEventBytes,
    backOff: backOffOf(upstream),
    streamIdleMs: streamIdleTimeoutMs,
    firstMessageMs: headersTimeoutMs,
    withheld: kept,
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
      pollingMs: upstream.totalTimeoutMs,
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

/** What stands below the bridges. */
interface OpenedServer {
  readonly upstream: Upstream;
  readonly figures: () => UpstreamFigures;
  /** Over HTTP; left out where the server is a program. */
  readonly targets?: OpenedTargets | undefined;
}

/** The server as clients of its own era see it: each in a session of its own, or together in one. */
function openServer(route: RouteConfig, deps: UpstreamDeps): OpenedServer {
  const { stdio, sessions } = route.upstream;
  const server = stdio === undefined
    ? httpServer(route, deps)
    : stdioServer(stdioUpstream(route, stdio, deps));
  if (sessions === "dedicated") return server;
  const { clock, config: { limits } } = deps;
  const upstream = sharedUpstream(server.upstream, {
    clock,
    backOff: backOffOf(route.upstream),
    maxEventBytes: limits.maxEventBytes,
    memberIdleMs: limits.sessionIdleTimeoutMs,
    maxMembers: limits.maxSessions,
    anonymous: deps.anonymous,
  });
  return {
    ...server,
    upstream,
    figures: () => ({ shared: upstream.stats(), ...server.figures() }),
  };
}

function stdioServer(upstream: ChannelUpstream): OpenedServer {
  return { upstream, figures: () => ({ channel: upstream.stats() }) };
}

function httpServer(route: RouteConfig, deps: UpstreamDeps): OpenedServer {
  const targets = openTargets(route, deps);
  const { balancer } = targets;
  const figures = () => {
    const { [UNNAMED]: channel, ...channels } = targets.channels();
    return {
      ...(channel !== undefined && { channel }),
      ...(Object.keys(channels).length > 0 && { channels }),
      targets: balancer.targets(),
      retries: balancer.retries(),
      ...(targets.tokens !== undefined && { tokens: targets.tokens.stats }),
    };
  };
  return { upstream: balancer, figures, targets };
}

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
