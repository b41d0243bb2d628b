/**
 * From the config of a route to its targets over HTTP: one or several, each with its connections, behind a
 * balancer.
 *
 * @module
 */

import {
  Balancer,
  chosenProbe,
  fleetHealth,
  type ProbeOptions,
  startProbes,
  type TargetSpec,
  type Watching,
} from "./balance/mod.ts";
import {
  type ChannelStats,
  type ChannelUpstream,
  channelUpstream,
  httpSseChannel,
} from "./channel/mod.ts";
import { readCertificates } from "./certificates.ts";
import { channelOptions } from "./channel_options.ts";
import type { Clock } from "./clock.ts";
import { type Config, ConfigError, type RouteConfig, type TargetConfig } from "./config/mod.ts";
import { UNNAMED } from "./http/mod.ts";
import { RouteTokens, type TokenTarget } from "./route_tokens.ts";
import { IssuerLookup, MetadataLookup, type MetadataServer } from "./server_oauth/mod.ts";
import { fetchDocument } from "./issuer/mod.ts";
import type { Logger } from "./telemetry/mod.ts";
import {
  http1Client,
  http2Client,
  type HttpClientFactory,
  originOf,
  parseTarget,
  streamableHttpUpstream,
  type Upstream,
  type UpstreamAddress,
} from "./upstream/mod.ts";

/** What targets are made with. */
export interface TargetDeps {
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
  /** Makes the connections; the proxy's own where it is left out. */
  readonly httpClient?: HttpClientFactory | undefined;
}

/** Targets that were opened. */
export interface OpenedTargets {
  /** All of them as one. */
  readonly balancer: Balancer;
  /** What is going on on the channels of each target that has some, by its name. */
  channels(): Readonly<Record<string, ChannelStats>>;
  /** What their OAuth clients are to know; undefined where no token of theirs goes to a target. */
  readonly metadata: MetadataLookup | undefined;
  /** The proxy's own access tokens for them; undefined where it has no credentials of its own. */
  readonly tokens: RouteTokens | undefined;
  /**
   * Takes over the targets, the policy and the settings of health of another config of the route.
   *
   * @throws {ConfigError} where certificates cannot be used; then nothing has changed
   */
  update(route: RouteConfig): void;
}

/**
 * How long the answers of a target that was removed may go on, in milliseconds: as long as a call may take that
 * begins at the last moment. Streams that have no end are cut then; clients take them up again elsewhere.
 */
const CLOSE_AFTER_MS = 300_000;

/** Opens them. @throws {ConfigError} where certificates cannot be used */
export function openTargets(route: RouteConfig, deps: TargetDeps): OpenedTargets {
  const { clock, logger } = deps;
  const fleet = fleetHealth(route.upstream.health, clock, logger, route.name);
  const channels = new Map<string, ChannelUpstream>();
  let servers: readonly MetadataServer[] = [];
  const metadata = forwardsTokens(route, deps)
    ? new MetadataLookup({
      clock: deps.timers,
      servers: () => servers,
      issuers: issuerLookup(route, deps),
    })
    : undefined;
  const { oauth } = route.upstream;
  const tokens = oauth && new RouteTokens(route.name, oauth, deps);
  const specsOf = (config: RouteConfig) => {
    const specs = targetSpecs(config, deps, { channels, metadata, tokens });
    servers = specs.map(({ server }) => server);
    tokens?.serve(specs.map(({ tokenTarget }) => tokenTarget));
    metadata?.forget();
    return specs;
  };
  const balancer = new Balancer(
    { route: route.name, fleet, clock, closeAfterMs: CLOSE_AFTER_MS },
    route.upstream.balance,
    specsOf(route),
  );
  return {
    balancer,
    metadata,
    tokens,
    channels: () =>
      Object.fromEntries(
        balancer.targets().flatMap(({ name }) => {
          const channel = channels.get(name);
          return channel === undefined ? [] : [[name, channel.stats()]];
        }),
      ),
    update(config) {
      balancer.update(specsOf(config), config.upstream.balance);
      fleet.update(config.upstream.health);
      const names = new Set(balancer.targets().map(({ name }) => name));
      for (const name of channels.keys()) if (!names.has(name)) channels.delete(name);
    },
  };
}

/** What the targets of a route have in common. */
interface Shared {
  /** What is opened on channels, by the names of the targets. */
  readonly channels: Map<string, ChannelUpstream>;
  readonly metadata: MetadataLookup | undefined;
  readonly tokens: RouteTokens | undefined;
}

/** A target, and how it is asked what OAuth clients need to know. */
interface KnownTarget extends TargetSpec {
  readonly server: MetadataServer;
  readonly tokenTarget: TokenTarget;
}

/** The targets of a config. */
function targetSpecs(
  route: RouteConfig,
  deps: TargetDeps,
  { channels, metadata, tokens }: Shared,
): readonly KnownTarget[] {
  // Told with the path of the setting ahead of this (`certificateProblems`), unless it has changed since.
  const tls = readCertificates(route.upstream.tls, `upstream.tls of the route ${route.name}`);
  const listed = listedTargets(route);
  return listed.map(({ name, url, weight }) => {
    const address = parseTarget(url, tls);
    if (address === undefined) throw noUpstream(route);
    const server = metadataServer(name, route, address, deps);
    const { transport, headers } = route.upstream;
    const tokenTarget = {
      name,
      url,
      server: { ...address, transport, headers, open: server.open },
    };
    const make = clientFactory(route.upstream, deps);
    return {
      name,
      weight,
      place: url,
      open() {
        const onChallenge = (path: string | undefined) => metadata?.challenged(name, path);
        const guarded = tokens?.guard(tokenTarget, make) ?? make;
        const opened = openTarget(route, address, deps, { onChallenge, make: guarded });
        if ("stats" in opened) channels.set(name, opened);
        return opened;
      },
      watching: watching(route, address, {
        targets: listed.length,
        clock: deps.clock,
        makeClient: tokens?.guard(tokenTarget, make, { isProbe: true }) ?? make,
      }),
      server,
      tokenTarget,
    };
  });
}

/** Whether tokens of clients go to the servers: not where `Authorization` holds the key for the proxy itself. */
function forwardsTokens({ upstream }: RouteConfig, { withheld }: TargetDeps): boolean {
  return upstream.credentials === "forward" && !withheld.includes("authorization");
}

/** Asks the authorization servers that the servers of a route name. */
function issuerLookup(
  { name, upstream }: RouteConfig,
  { timers, logger }: TargetDeps,
): IssuerLookup {
  const documents = {
    clock: timers,
    allowPrivateAddresses: upstream.allowPrivateIssuer,
    setting: "upstream.allowPrivateIssuer",
  };
  return new IssuerLookup({
    clock: timers,
    fetchDocument: (url, signal) => fetchDocument(url, documents, signal),
    onFailed: (issuer, reason) =>
      logger.warn("metadata of the authorization server cannot be had for clients of 2025-03-26", {
        route: name,
        issuer,
        reason,
      }),
  });
}

/** A server as its metadata is asked for: on few connections of their own, so that no call has to wait for it. */
function metadataServer(
  name: string,
  { upstream }: RouteConfig,
  { target, path }: UpstreamAddress,
  deps: TargetDeps,
): MetadataServer {
  return {
    name,
    hostname: target.kind === "tcp" ? target.hostname : target.host,
    origin: target.kind === "tcp" ? originOf(target) : undefined,
    path,
    open: () =>
      clientFactory(upstream, deps)({
        target,
        connectTimeoutMs: upstream.connectTimeoutMs,
        maxConnections: 1,
        maxStreams: 1,
        maxQueued: 1,
        queueTimeoutMs: upstream.queueTimeoutMs,
        keepAliveMs: upstream.keepAliveMs,
        clock: deps.timers,
      }),
  };
}

/** The targets, or the one without a name that `url` stands for. */
function listedTargets({ upstream: { url, targets } }: RouteConfig): readonly TargetConfig[] {
  // The schema lets both be left out; `loadConfig` does not.
  return targets ?? [{ name: UNNAMED, url: url ?? "", weight: 1 }];
}

/** One server, with connections of its own. */
function openTarget(
  { upstream }: RouteConfig,
  { target, path, query }: UpstreamAddress,
  deps: TargetDeps,
  { onChallenge, make }: {
    readonly onChallenge: (metadata: string | undefined) => void;
    readonly make: HttpClientFactory;
  },
): Upstream | ChannelUpstream {
  const { config: { limits }, timers: clock, withheld } = deps;
  const client = make({
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
    target,
    onChallenge,
    withheld,
    timeouts: {
      headersMs: upstream.headersTimeoutMs,
      totalMs: upstream.totalTimeoutMs,
      bodyIdleMs: upstream.bodyIdleTimeoutMs,
      streamIdleMs: upstream.streamIdleTimeoutMs,
    },
  };
  if (upstream.transport === "streamable-http") return streamableHttpUpstream(client, spoken);
  const open = httpSseChannel(client, {
    ...spoken,
    endpointTimeoutMs: upstream.connectTimeoutMs,
    maxEventBytes: limits.maxEventBytes,
    clock,
  });
  return channelUpstream(open, {
    ...channelOptions(deps, upstream, upstream.maxStreams),
    beneath: client,
  });
}

function clientFactory(
  { http2 }: RouteConfig["upstream"],
  { httpClient }: TargetDeps,
): HttpClientFactory {
  return httpClient ?? (http2 ? http2Client : http1Client);
}

/** How a target is probed; undefined where it is not. */
function watching(
  { upstream }: RouteConfig,
  { target, path, query }: UpstreamAddress,
  { targets, clock, makeClient }: Pick<ProbeOptions, "targets" | "clock" | "makeClient">,
): Watching | undefined {
  const { health: settings, transport, headers } = upstream;
  const { intervalMs, timeoutMs } = settings;
  const probe = chosenProbe(settings.probe, targets);
  if (probe === "off") return undefined;
  return {
    key: JSON.stringify([probe, intervalMs, timeoutMs]),
    begin: (health) =>
      startProbes({
        target,
        path,
        query,
        transport,
        headers,
        settings,
        targets,
        clock,
        health,
        makeClient,
      }),
  };
}

function noUpstream({ name }: RouteConfig): ConfigError {
  return new ConfigError([{
    path: `upstream.url of the route ${name}`,
    found: "nothing",
    wanted: "the URL of the server, or stdio with the command that starts it",
  }]);
}
