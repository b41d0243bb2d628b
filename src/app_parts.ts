/**
 * What lives as long as the process, whatever config runs: sessions, streams, stores, timers.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import type { Config, LimitsConfig } from "./config/mod.ts";
import { sharedTimers } from "./deadlines.ts";
import { Drain } from "./drain.ts";
import { ANSWERING, stopping } from "./errors.ts";
import { AbandonedSessions, Exchanges, HttpSseClients, SessionStreamBook } from "./front/mod.ts";
import { Retired } from "./holds.ts";
import { PeerCalls } from "./peers/mod.ts";
import { Instances, LiveStreams, type RelayLimits } from "./relay/mod.ts";
import { SessionTable } from "./session/mod.ts";
import type { Stores } from "./stores.ts";
import type { Logger, RequestMeter } from "./telemetry/mod.ts";
import type { HttpClientFactory } from "./upstream/mod.ts";

/** What the parts are made with. */
export interface PartsOptions {
  /** The first config to run. */
  readonly config: Config;
  /** Time. */
  readonly clock: Clock;
  /** Where log lines go. */
  readonly logger: Logger;
  /** Where requests are counted; left out where nobody can ask. */
  readonly meter?: RequestMeter | undefined;
  /** Makes the connections to upstreams; the proxy's own where it is left out. */
  readonly httpClient?: HttpClientFactory | undefined;
  /** The stores, which are closed with the parts. */
  readonly stores: Stores;
  /** How many connections of clients are open now; null where nobody knows. */
  readonly clientConnections: () => number | null;
}

/** The same, for the one who changes it. */
export type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What all routes of all configs have in common. */
export interface Parts extends Omit<PartsOptions, "config" | "clientConnections"> {
  /** Time whose timers are shared. */
  readonly timers: ReturnType<typeof sharedTimers>;
  /** Limits of what outlives a config, read when they are used. */
  readonly limits: Writable<LimitsConfig>;
  /** The same for streams. */
  readonly relayLimits: Writable<RelayLimits>;
  /** The sessions of all routes. */
  readonly sessions: SessionTable;
  /** Sessions to be ended upstream. */
  readonly abandoned: AbandonedSessions;
  /** The answers under way. */
  readonly exchanges: Exchanges;
  /** Whether the process drains. */
  readonly drain: Drain;
  /** The streams of all sessions. */
  readonly live: LiveStreams;
  /** Streams at other instances and of earlier runs; undefined where there are none. */
  readonly instances: Instances | undefined;
  /** Calls from instance to instance; undefined where there is but one. */
  readonly peerCalls: PeerCalls | undefined;
  /** The streams of sessions of Streamable HTTP. */
  readonly book: SessionStreamBook;
  /** The clients of HTTP+SSE, by the names of their routes. */
  readonly sseClients: Map<string, HttpSseClients>;
  /** Upstreams and pipelines of earlier configs that are in use. */
  readonly retired: { readonly upstreams: Retired; readonly pipelines: Retired };
}

/** The parts of one process. */
export function createParts(options: PartsOptions): Parts {
  const { config, clock, logger, stores, clientConnections } = options;
  const { log, directory, messages } = stores;
  const timers = sharedTimers(clock);
  const live = new LiveStreams();
  const exchanges = new Exchanges();
  const abandoned = new AbandonedSessions(logger);
  const limits = { ...config.limits };
  const relayLimits = relayLimitsOf(config, timers);
  const sessions = new SessionTable({
    clock,
    ids: stores.ids,
    store: stores.sessions,
    limits,
    onAbandoned: (session) => abandoned.end(session),
    onStoreFailure: (error) => logger.warn("the store of sessions failed", { error }),
  });
  const instances = log && directory &&
    new Instances({ directory, log, limits: relayLimits, clock, live });
  const cut = (what: string) => () =>
    logger.warn(`more ${what} of earlier configs in use than are kept; the oldest was closed`);
  return {
    clock,
    logger,
    meter: options.meter,
    httpClient: options.httpClient,
    stores,
    timers,
    limits,
    relayLimits,
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
    book: new SessionStreamBook(),
    sseClients: new Map(),
    retired: { upstreams: new Retired(cut("upstreams")), pipelines: new Retired(cut("pipelines")) },
  };
}

/** Has the parts go by the limits of another config from now on. */
export function takeLimits(parts: Parts, config: Config): void {
  Object.assign(parts.limits, config.limits);
  Object.assign(parts.relayLimits, relayLimitsOf(config, parts.timers));
  parts.peerCalls?.limitBodies(config.limits.maxRequestBytes);
}

/** Ends what is under way, so that upstreams may be closed behind it. */
export function stopParts({ live, sessions, abandoned }: Parts): void {
  live.close(stopping(ANSWERING));
  sessions.stop();
  abandoned.close();
}

/** Closes the rest, once the upstreams are closed. */
export async function closeParts({ peerCalls, timers, stores }: Parts): Promise<void> {
  await peerCalls?.close();
  timers.close();
  await stores.close();
}

function relayLimitsOf({ limits, eventLog }: Config, clock: Clock): RelayLimits {
  return {
    ...limits,
    clock,
    maxAheadBytes: eventLog.maxStreamBytes,
    maxAheadEvents: eventLog.maxStreamEvents,
  };
}
