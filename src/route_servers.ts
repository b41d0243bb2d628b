/**
 * The servers behind the routes from one config to the next: kept where nothing that they were opened with is
 * another, taken over in place where only their targets are, opened anew otherwise.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import type { Parts } from "./app_parts.ts";
import { ANONYMOUS, type Authenticator } from "./auth/mod.ts";
import { certificateProblems } from "./certificates.ts";
import { clientKeyProblems } from "./client_keys.ts";
import { type Config, ConfigError, type RouteConfig, type UpstreamConfig } from "./config/mod.ts";
import { Recovery } from "./front/mod.ts";
import { Held } from "./holds.ts";
import type { Session } from "./session/mod.ts";
import { type OpenedUpstream, openUpstream } from "./upstreams.ts";

/** The server behind a route. */
export interface RouteServer {
  /** The server, and who uses it. */
  readonly held: Held<OpenedUpstream>;
  /** Makes its lost sessions anew. */
  readonly recovery: Recovery;
  /** What it was opened with, or has been changed to since. */
  readonly basis: ServerBasis;
}

/** All that a server is opened with. */
export interface ServerBasis {
  /** The route, without what is not the server's business. */
  readonly route: RouteConfig;
  /** The limits that matter to it. */
  readonly limits: readonly number[];
  /** Fields with credentials for the proxy. */
  readonly withheld: readonly string[];
  /** The texts of its certificates and keys: a reload takes those that were renewed. */
  readonly certificates: readonly (string | undefined)[];
}

/**
 * The servers of the routes of `config` by their names, after those of `before`, of which none is closed here.
 *
 * @throws {ConfigError} where one of them cannot be opened; everything is as it was then
 */
export function serversOf(
  parts: Parts,
  config: Config,
  authenticator: Authenticator,
  before: ReadonlyMap<string, RouteServer>,
): ReadonlyMap<string, RouteServer> {
  const problems = [...certificateProblems(config), ...clientKeyProblems(config)];
  if (problems.length > 0) throw new ConfigError(problems);
  const byRoute = new Map<string, RouteServer>();
  /** Closes what was opened, and puts targets as they were. */
  const undo: (() => void)[] = [];
  const open = (basis: ServerBasis) => {
    const made = openServer(parts, config, basis);
    drainAgain(before.get(basis.route.name), made);
    undo.push(() => void made.held.close());
    byRoute.set(basis.route.name, made);
  };
  try {
    const movable: { known: RouteServer; basis: ServerBasis }[] = [];
    for (const route of config.routes) {
      const basis = basisOf(route, config, authenticator);
      const known = before.get(route.name);
      if (known !== undefined && isDeepStrictEqual(known.basis, basis)) {
        byRoute.set(route.name, known);
      } else if (known !== undefined && isMovable(known.basis, basis)) {
        movable.push({ known, basis });
      } else open(basis);
    }
    // Behind all that may fail, for these are in use.
    for (const { known, basis } of movable) {
      if (known.held.value.update(basis.route)) {
        undo.push(() => void known.held.value.update(known.basis.route));
        byRoute.set(basis.route.name, { ...known, basis });
      } else open(basis);
    }
  } catch (error) {
    for (const step of undo.toReversed()) step();
    throw error;
  }
  return byRoute;
}

/** A target that an operator has drained gets no new work because of another setting. */
function drainAgain(before: RouteServer | undefined, made: RouteServer): void {
  for (const { name, draining } of before?.held.value.targets?.targets() ?? []) {
    if (draining) made.held.value.targets?.drain(name);
  }
}

function openServer(parts: Parts, config: Config, basis: ServerBasis): RouteServer {
  const { clock, timers, logger, sessions, book } = parts;
  const server = openUpstream(basis.route, {
    config,
    clock,
    timers,
    logger,
    withheld: basis.withheld,
    sealer: parts.stores.sealer,
    anonymous: ANONYMOUS.id,
    peerCalls: parts.peerCalls,
    httpClient: parts.httpClient,
  });
  const { upstream } = server;
  const onRenewed = (session: Session) => book.renewed(session);
  return {
    held: new Held(server, () => {
      server.metadata?.close();
      server.tokens?.close();
      return upstream.close();
    }, () => server.whenIdle()),
    recovery: new Recovery({
      upstream,
      sessions,
      logger,
      clock,
      startMs: basis.route.upstream.stdio?.startTimeoutMs,
      onRenewed,
    }),
    basis,
  };
}

function basisOf(
  route: RouteConfig,
  { limits }: Config,
  { credentialFields }: Authenticator,
): ServerBasis {
  return {
    // Neither the path nor the interceptors are the server's business.
    route: { ...route, path: "", interceptors: [] },
    limits: [limits.maxEventBytes, limits.maxRequestBytes, limits.maxSessions],
    withheld: credentialFields,
    certificates: certificatesOf(route.upstream),
  };
}

/** One that cannot be read counts as another one: opening the server says what is wrong with it. */
function certificatesOf({ tls, oauth }: UpstreamConfig): (string | undefined)[] {
  return [tls.caFile, tls.certFile, tls.keyFile, oauth?.privateKeyFile].map((file) => {
    try {
      return file && Deno.readTextFileSync(file);
    } catch {
      return undefined;
    }
  });
}

/** Whether the targets alone are others, or what is done about them. */
function isMovable(before: ServerBasis, after: ServerBasis): boolean {
  const withoutTargets = ({ route, ...rest }: ServerBasis) => {
    const { targets: _targets, balance: _balance, health: _health, ...others } = route.upstream;
    return { ...rest, route: { ...route, upstream: others } };
  };
  return isDeepStrictEqual(withoutTargets(before), withoutTargets(after));
}
