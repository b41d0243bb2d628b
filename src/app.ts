/**
 * The composition root: a config in, handlers out, and another config in its place while they answer.
 *
 * @module
 */

import { adminHandler, SessionPages, type Snapshot } from "./admin/mod.ts";
import { closeParts, createParts, type Parts, stopParts, takeLimits } from "./app_parts.ts";
import type { RouteTargets } from "./balance/mod.ts";
import { type Clock, systemClock, type Timer } from "./clock.ts";
import type { Config, ReloadedRoutes, ReloadOutcome } from "./config/mod.ts";
import { httpSseSessions } from "./front/mod.ts";
import { type Generation, nextGeneration, type RunningRoute } from "./generation.ts";
import { createHandler } from "./handler.ts";
import type { Handler } from "./http/mod.ts";
import type { Pipelines } from "./interceptors.ts";
import { storeCheck } from "./store_check.ts";
import type { Metrics, ProcessTold } from "./metrics/mod.ts";
import { memoryStores, type Stores } from "./stores.ts";
import { type Logger, nullLogger } from "./telemetry/mod.ts";
import type { HttpClientFactory } from "./upstream/mod.ts";

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
  /** Counts requests, for the admin address; left out where there is none. */
  readonly metrics?: Metrics | undefined;
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
  /**
   * Puts another config in the place of the one that runs, for all requests that come from now on; what is
   * under way ends with what it began with. Settings that only a restart can change are not looked at.
   *
   * @param pipelines its interceptors, those among them that go on as they are; the app's from now on
   * @throws {ConfigError} where an upstream cannot be opened; nothing has changed then
   * @throws {TypeError} as `createApp` does
   */
  reload(config: Config, pipelines: Pipelines): ReloadedRoutes;
  /** Cuts every connection to the upstreams. */
  close(): Promise<void>;
}

/**
 * Wires a proxy for one config.
 *
 * @throws {TypeError} where the config has interceptors that were not given: none may be passed over
 * @throws {ConfigError} where certificates cannot be used, or a program may not be run
 */
export function createApp(options: AppOptions): App {
  const { config, clock = systemClock, logger = nullLogger, httpClient, metrics } = options;
  const stores = options.stores ?? memoryStores(config, { clock, logger });
  const clientConnections = options.clientConnections ?? (() => null);
  const parts = createParts({
    config,
    clock,
    logger,
    meter: metrics,
    httpClient,
    stores,
    clientConnections,
  });
  const { drain } = parts;
  const generations = new Generations(parts, config, options.pipelines ?? new Map());
  const current = () => generations.current;
  const startedMs = clock.monotonicMs();
  const uptimeMs = () => Math.round(clock.monotonicMs() - startedMs);
  const snapshot = () => ({ uptimeMs: uptimeMs(), ...snapshotOf(parts, current()) });
  const door = {
    get hosts() {
      return current().door.hosts;
    },
    get origins() {
      return current().door.origins;
    },
  };
  return {
    handler: createHandler({ current, logger, clock, exchanges: parts.exchanges, meter: metrics }),
    admin: adminHandler(door, {
      uptimeMs,
      snapshot,
      ...(metrics && {
        metrics: () =>
          metrics.page({
            snapshot: snapshot(),
            routes: targetsOf(current()),
            tokens: tokensOf(current()),
            memory: Deno.memoryUsage(),
          }),
      }),
      sessions: new SessionPages({
        sessions: parts.sessions,
        streamsOf: (session) => (parts.sseClients.get(session.route) ?? parts.book).told(session),
        nameOf: (principal) => current().authenticator.nameOf(principal),
        clock,
      }),
      sessionsHere: () => parts.sessions.all(),
      routes: () =>
        [...current().running].map(([name, { server }]) => ({
          name,
          targets: server.held.value.targets,
        })),
      failingStores: storeCheck({ stores, config, clock, logger }),
      drain,
      logger,
      reload: options.reload,
    }),
    drain: () => drain.stop(),
    isDraining: () => drain.isDraining,
    reload: (next, pipelines) => generations.reload(next, pipelines),
    close: () => generations.close(),
  };
}

function targetsOf({ running }: Generation): readonly RouteTargets[] {
  return [...running.values()].flatMap(({ server }) => server.held.value.targets ?? []);
}

function tokensOf({ running }: Generation): ProcessTold["tokens"] {
  return [...running].flatMap(([route, { server }]) => {
    const { tokens } = server.held.value;
    return tokens === undefined ? [] : [{ route, stats: tokens.stats }];
  });
}

function snapshotOf(
  { sessions, drain, live, stores }: Parts,
  { running }: Generation,
): Omit<Snapshot, "uptimeMs"> {
  const { draining, answersUnderWay, subscriptions, clientConnections } = drain.told();
  return {
    draining,
    clientConnections,
    routes: [...running.values()].map(({ config: { name, path }, server }) => ({
      name,
      path,
      upstream: server.held.value.figures(),
    })),
    sessions: sessions.size,
    principals: sessions.principals,
    answersUnderWay,
    subscriptions,
    streams: { held: live.size, unattended: live.unattended },
    eventLog: stores.log?.size ?? null,
  };
}

/** Between two looks for subscriptions of callers whose tokens have run out, in milliseconds. */
const SWEEP_MS = 15_000;

/** The generation at work, and how the next one comes in its place. */
class Generations {
  readonly #parts: Parts;
  #current: Generation | undefined;
  /** Looks for subscriptions whose callers' credentials have run out; set while there may be any. */
  #sweep: Timer | undefined;

  constructor(parts: Parts, config: Config, pipelines: Pipelines) {
    this.#parts = parts;
    this.#begin(this.#next(config, pipelines));
  }

  get current(): Generation {
    return this.#current!;
  }

  reload(config: Config, pipelines: Pipelines): ReloadedRoutes {
    const before = this.current;
    const generation = this.#next(config, pipelines);
    takeLimits(this.#parts, config);
    this.#begin(generation);
    this.#retire(before, generation);
    return routesOf(before, generation);
  }

  async close(): Promise<void> {
    const { retired } = this.#parts;
    const running = [...this.current.running.values()];
    this.#sweep?.cancel();
    this.current.oauth?.close();
    stopParts(this.#parts);
    await Promise.all(running.map(({ server }) => server.held.close()));
    await retired.upstreams.close();
    await closeParts(this.#parts);
    await Promise.all(running.map(({ pipeline }) => pipeline?.close()));
    await retired.pipelines.close();
  }

  #next(config: Config, pipelines: Pipelines): Generation {
    const options = { parts: this.#parts, current: () => this.#current };
    return nextGeneration(options, config, pipelines);
  }

  /** A subscription may not go on reading with a credential that no new request could show (R91). */
  #watchExpiry(): void {
    const { clock, exchanges } = this.#parts;
    if (this.current.oauth === undefined || this.#sweep !== undefined) return;
    this.#sweep = clock.after(SWEEP_MS, () => {
      this.#sweep = undefined;
      exchanges.endUnserved();
      this.#watchExpiry();
    });
  }

  /** The one moment in which everything changes. */
  #begin(generation: Generation): void {
    const { abandoned } = this.#parts;
    this.#current = generation;
    this.#watchExpiry();
    for (const { config: { name }, server } of generation.running.values()) {
      abandoned.serve(name, server.held.value.upstream);
      abandoned.serve(httpSseSessions(name), server.held.value.upstream);
    }
  }

  /** Lets go of what only the generation before has used. */
  #retire(before: Generation, after: Generation): void {
    const { retired, exchanges } = this.#parts;
    const isGone = (principal: string) => after.authenticator.nameOf(principal) === undefined;
    const hasLeft = before.authenticator !== after.authenticator;
    // Keys that are no more open nothing, and so what they had opened may not stay open (R91); of tokens that another
    // `auth.oauth` has let in nobody knows.
    exchanges.endUnserved();
    if (before.oauth !== after.oauth) before.oauth?.close();
    const removed = [...before.running.values()]
      .filter(({ config: { name } }) => !after.running.has(name));
    const names = new Set(removed.flatMap(({ config: { name } }) => [name, httpSseSessions(name)]));
    if (hasLeft || names.size > 0) {
      this.#endSessions((route, principal) => names.has(route) || (hasLeft && isGone(principal)));
    }
    for (const route of removed) this.#forget(route);
    this.#leavePaths(before, after);
    const [kept, old] = [used(after), used(before)];
    for (const held of old.servers) if (!kept.servers.has(held)) retired.upstreams.add(held);
    for (const held of old.pipelines) if (!kept.pipelines.has(held)) retired.pipelines.add(held);
  }

  /** Clients of HTTP+SSE were told once where their messages go, and could not go on after that has moved. */
  #leavePaths(before: Generation, after: Generation): void {
    for (const { config: { name, path } } of after.running.values()) {
      const was = before.running.get(name)?.config.path ?? path;
      if (was !== path) this.#parts.sseClients.get(httpSseSessions(name))?.end();
    }
  }

  /** Ends sessions here and upstream, which nobody can reach any more. */
  #endSessions(isOver: (route: string, principal: string) => boolean): void {
    const { sessions, abandoned } = this.#parts;
    for (const session of [...sessions.all()]) {
      if (!isOver(session.route, session.principal)) continue;
      sessions.close(session);
      abandoned.end(session);
    }
  }

  /** The server of a route that is no more is needed until it knows that its sessions are over. */
  #forget({ config: { name }, server }: RunningRoute): void {
    const { abandoned, sseClients } = this.#parts;
    for (const route of [name, httpSseSessions(name)]) {
      abandoned.forget(route, server.held.hold());
      sseClients.delete(route);
    }
  }
}

function used({ running }: Generation) {
  const routes = [...running.values()];
  return {
    servers: new Set(routes.map(({ server }) => server.held)),
    pipelines: new Set(routes.flatMap(({ pipeline }) => pipeline ?? [])),
  };
}

function routesOf({ running: before }: Generation, { running: after }: Generation): ReloadedRoutes {
  const names = [...after.keys()];
  const isKept = (name: string) =>
    before.get(name)!.served === after.get(name)!.served &&
    before.get(name)!.server === after.get(name)!.server;
  const known = names.filter((name) => before.has(name));
  return {
    added: names.filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    changed: known.filter((name) => !isKept(name)),
    kept: known.filter(isKept),
  };
}
