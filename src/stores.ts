/**
 * What outlives a request, and perhaps the process: the names of sessions, where sessions are kept, where
 * events are kept. Opened before the app is made, because files and Redis take a while.
 *
 * @module
 */

import { type Clock, systemClock } from "./clock.ts";
import { type Config, ConfigError } from "./config/mod.ts";
import {
  RedisMessages,
  RedisStreamDirectory,
  SqliteStreamDirectory,
  StreamDirectoryError,
} from "./directory/mod.ts";
import {
  type EventLog,
  EventLogError,
  MemoryEventLog,
  RedisEventLog,
  SqliteEventLog,
  watchedLog,
} from "./event_log/mod.ts";
import type { InstanceMessages } from "./peers/mod.ts";
import type { StreamDirectory } from "./relay/mod.ts";
import { connectRedis, type RedisConnection, RedisError } from "./redis/mod.ts";
import {
  deriveKey,
  loadOrMakeSecret,
  makeSecret,
  MemorySessionStore,
  RedisSessionStore,
  Sealer,
  SealKeyError,
  SessionIds,
  type SessionStore,
  SessionStoreError,
  type SessionStoreLimits,
  SqliteSessionStore,
  storeIdleMs,
} from "./session/mod.ts";
import { type Logger, nullLogger } from "./telemetry/mod.ts";

/** The stores of one app, which closes them. */
export interface Stores {
  /** Makes and reads what the proxy hands out sealed. */
  readonly sealer: Sealer;
  /** Makes and reads the ids of sessions. */
  readonly ids: SessionIds;
  /** Where sessions are kept. */
  readonly sessions: SessionStore;
  /** Where events are kept; undefined where none are. */
  readonly log: EventLog | undefined;
  /** Which instance, or which earlier run, holds which stream; undefined where there is but this one. */
  readonly directory: StreamDirectory | undefined;
  /** Messages between instances; undefined where they share nothing. */
  readonly messages: InstanceMessages | undefined;
  /** Closes all of them. */
  close(): Promise<void>;
}

/** What opening stores takes. */
export interface StoresOptions {
  /** Time and randomness; the system's by default. */
  readonly clock?: Clock;
  /** Where failures are told; nowhere by default. */
  readonly logger?: Logger;
}

/**
 * Opens what a config asks for.
 *
 * @throws {ConfigError} where a file, a key or Redis cannot be used
 */
export async function openStores(config: Config, options: StoresOptions = {}): Promise<Stores> {
  const { clock = systemClock, logger = nullLogger } = options;
  const sealer = sealerOf(await secretsOf(config, clock), clock);
  const opened = new Opened();
  try {
    const usesRedis = config.sessions.store === "redis" || config.eventLog.store === "redis";
    const redis = usesRedis ? await openRedis(config, logger) : undefined;
    opened.add(() => redis?.close());
    const sessions = config.sessions.store === "redis"
      ? await onRedis(() => RedisSessionStore.open(clock, keptFor(config), redis!))
      : openSessions(config, clock);
    opened.add(() => sessions.close());
    const log = openEventLog(config, redis, clock, logger);
    opened.add(() => log?.close());
    const directory = await openDirectory(config, redis, clock, logger);
    opened.add(() => directory?.shutdown());
    const messages = await openMessages(redis, clock, logger);
    opened.add(() => messages?.shutdown());
    return {
      sealer,
      ids: new SessionIds(sealer, clock),
      sessions,
      log,
      directory,
      messages,
      close: () => opened.close(),
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** What was opened, to be closed in the reverse order. */
class Opened {
  #closers: (() => void | Promise<void> | undefined)[] = [];

  add(close: () => void | Promise<void> | undefined): void {
    this.#closers.unshift(close);
  }

  async close(): Promise<void> {
    const closers = this.#closers;
    this.#closers = [];
    for (const close of closers) await close();
  }
}

/**
 * Stores in memory alone, at once: for a config that asks for no others.
 *
 * @throws {TypeError} where it does
 */
export function memoryStores(config: Config, options: StoresOptions = {}): Stores {
  const { clock = systemClock, logger = nullLogger } = options;
  const inMemory = config.sessions.store === "memory" &&
    ["memory", "off"].includes(config.eventLog.store);
  if (!inMemory) throw new TypeError("These stores take time to open; give openStores(config).");
  const secrets = config.sessions.keys.length > 0 ? config.sessions.keys : [makeSecret(clock)];
  const sealer = sealerOf(secrets, clock);
  const sessions = openSessions(config, clock);
  const log = openEventLog(config, undefined, clock, logger);
  return {
    sealer,
    ids: new SessionIds(sealer, clock),
    sessions,
    log,
    directory: undefined,
    messages: undefined,
    async close() {
      await log?.close();
      await sessions.close();
    },
  };
}

/**
 * Looks at the secrets of a config without opening anything.
 *
 * @throws {ConfigError} where one of them cannot seal ids (R76)
 */
export function checkSecrets({ sessions }: Config): void {
  if (sessions.keys.length > 0) sealerOf(sessions.keys, systemClock);
}

/** The secrets of the config; where it has none, one from the data directory, or one for this process. */
async function secretsOf({ sessions, dataDir }: Config, clock: Clock): Promise<readonly string[]> {
  if (sessions.keys.length > 0) return sessions.keys;
  if (dataDir === undefined) return [makeSecret(clock)];
  try {
    return [await loadOrMakeSecret(dataDir, clock)];
  } catch (error) {
    throw problemOf(error, "dataDir", "a folder that this proxy alone may read and write");
  }
}

function sealerOf(secrets: readonly string[], clock: Clock): Sealer {
  try {
    return new Sealer(secrets.map(deriveKey), clock);
  } catch (error) {
    throw problemOf(error, "sessions.keys", "secrets such as `openssl rand -base64 32` makes");
  }
}

async function openRedis({ redis }: Config, logger: Logger): Promise<RedisConnection> {
  try {
    return await connectRedis({
      ...redis!,
      onTrouble: (error) => logger.warn("trouble with the connection to Redis", { error }),
    });
  } catch (error) {
    throw problemOf(error, "redis.url", "a Redis or Valkey that can be reached");
  }
}

function keptFor({ limits }: Config): SessionStoreLimits {
  return {
    idleTimeoutMs: storeIdleMs(limits.sessionIdleTimeoutMs),
    lifetimeMs: limits.sessionLifetimeMs,
  };
}

/** A store in memory or in a file. */
function openSessions(config: Config, clock: Clock): SessionStore {
  const { sessions, dataDir } = config;
  const kept = keptFor(config);
  if (sessions.store === "memory") return new MemorySessionStore(clock, kept);
  const path = sessions.path ?? `${dataDir}/sessions.db`;
  try {
    // Made with the key as a rule; where keys are given, nothing else makes it.
    if (sessions.path === undefined) Deno.mkdirSync(dataDir!, { recursive: true, mode: 0o700 });
    return new SqliteSessionStore(clock, kept, path);
  } catch (error) {
    throw problemOf(error, "sessions.path", fileWanted(path), path);
  }
}

function openEventLog(
  { eventLog }: Config,
  redis: RedisConnection | undefined,
  clock: Clock,
  logger: Logger,
): EventLog | undefined {
  if (eventLog.store === "off") return undefined;
  if (eventLog.store === "memory") return new MemoryEventLog(clock, eventLog);
  const tell = (error: unknown, failures: number) =>
    logger.error("the event log failed; clients that come back may miss events", {
      failures,
      error,
    });
  if (eventLog.store === "redis") {
    return watchedLog(new RedisEventLog(clock, eventLog, redis!), clock, tell);
  }
  const path = eventLog.path!;
  try {
    return watchedLog(new SqliteEventLog(clock, eventLog, path), clock, tell);
  } catch (error) {
    throw problemOf(error, "eventLog.path", fileWanted(path), path);
  }
}

/** Where streams are found that outlive the process, or that other instances hold. */
async function openDirectory(
  { eventLog, limits }: Config,
  redis: RedisConnection | undefined,
  clock: Clock,
  logger: Logger,
): Promise<StreamDirectory | undefined> {
  // A stream may be resumed as long as its events are held, and while it waits for its client.
  const ttlMs = Math.max(eventLog.maxAgeMs, limits.resumeWindowMs);
  if (eventLog.store === "redis") {
    const onTrouble = (error: unknown) =>
      logger.warn("trouble with the directory of streams", { error });
    return await onRedis(() =>
      RedisStreamDirectory.join({ redis: redis!, clock, ttlMs, onTrouble })
    );
  }
  if (eventLog.store !== "sqlite") return undefined;
  const path = `${eventLog.path}.streams`;
  try {
    return new SqliteStreamDirectory(clock, { ttlMs, maxStreams: eventLog.maxStreams }, path);
  } catch (error) {
    throw problemOf(error, "eventLog.path", fileWanted(path), path);
  }
}

/** How instances that share a Redis speak with each other. */
async function openMessages(
  redis: RedisConnection | undefined,
  clock: Clock,
  logger: Logger,
): Promise<RedisMessages | undefined> {
  if (redis === undefined) return undefined;
  const onTrouble = (error: unknown) =>
    logger.warn("trouble with the messages between instances", { error });
  return await onRedis(() => RedisMessages.join({ redis, clock, onTrouble }));
}

/** Does something with Redis; what goes wrong is a problem of the config. */
async function onRedis<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw problemOf(error, "redis.url", "a Redis or Valkey that works");
  }
}

function fileWanted(path: string): string {
  return `a file that this proxy alone uses and may write, with --allow-write=${path}`;
}

const FAILURES = [
  EventLogError,
  RedisError,
  SealKeyError,
  SessionStoreError,
  StreamDirectoryError,
];

/** What went wrong while a store was opened, as a problem of the config. */
function problemOf(error: unknown, path: string, wanted: string, found?: string): unknown {
  if (!(error instanceof Error) || !FAILURES.some((failure) => error instanceof failure)) {
    return error;
  }
  const { message } = error;
  return new ConfigError([{
    path,
    found: found === undefined ? message : `${found}: ${message}`,
    wanted,
  }]);
}
