/**
 * What the stores of sessions and events need beside their names.
 *
 * @module
 */

import type { ConfigProblem } from "./problems.ts";

type Raw = Readonly<Record<string, unknown>>;

/** The problems between the settings of stores. */
export function storesCheck(raw: Raw): ConfigProblem[] {
  return [
    ...eventLogFile(raw),
    ...sessionsFile(raw),
    ...missingKey(raw),
    ...missingRedis(raw),
    ...eventsElsewhere(raw),
    ...sharedElsewhere(raw),
  ];
}

function record(value: unknown): Raw {
  return typeof value === "object" && value !== null ? value as Raw : {};
}

function eventLogFile({ eventLog }: Raw): ConfigProblem[] {
  const { store, path } = record(eventLog);
  if (store !== "sqlite" || path !== undefined) return [];
  const wanted = "a file such as /var/lib/switchyard/events.db, which the store sqlite needs";
  return [{ path: "eventLog.path", found: "nothing", wanted }];
}

function sessionsFile({ sessions, dataDir }: Raw): ConfigProblem[] {
  const { store, path } = record(sessions);
  if (store !== "sqlite" || path !== undefined || dataDir !== undefined) return [];
  const wanted =
    "dataDir, such as /var/lib/switchyard, or sessions.path: the store sqlite needs a file";
  return [{ path: "dataDir", found: "nothing", wanted }];
}

/** R76: ids that are to outlive the process need a key that does. */
function missingKey({ sessions, dataDir }: Raw): ConfigProblem[] {
  const { store, keys } = record(sessions);
  const outlives = store === "sqlite" || store === "redis";
  const hasKey = dataDir !== undefined || (Array.isArray(keys) && keys.length > 0);
  if (!outlives || hasKey) return [];
  return [{
    path: "sessions.keys",
    found: "no key",
    wanted:
      `a key in SWITCHYARD_SESSION_KEYS, such as \`openssl rand -base64 32\` makes, or dataDir to ` +
      `keep one in: the store ${store} outlives the process, and the ids of its sessions must too`,
  }];
}

function missingRedis({ sessions, eventLog, redis }: Raw): ConfigProblem[] {
  const used = [["sessions", sessions], ["eventLog", eventLog]] as const;
  const by = used.filter(([, value]) => record(value).store === "redis").map(([name]) => name);
  if (by.length === 0 || record(redis).url !== undefined) return [];
  return [{
    path: "redis.url",
    found: "nothing",
    wanted: `redis://HOST:PORT, which ${by.join(" and ")} with the store redis needs`,
  }];
}

/** A client of a session that all instances share may come back for its events at any of them. */
function eventsElsewhere({ sessions, eventLog }: Raw): ConfigProblem[] {
  const { store = "memory" } = record(eventLog);
  if (record(sessions).store !== "redis" || store === "redis" || store === "off") return [];
  return [{
    path: "eventLog.store",
    found: JSON.stringify(store),
    wanted: "redis or off where sessions.store is redis: a client may come back at any instance",
  }];
}

/** Who asked what on a shared upstream session, or on a channel, one process alone knows. */
function sharedElsewhere(raw: Raw): ConfigProblem[] {
  const { routes } = raw;
  if (record(raw.sessions).store !== "redis" || !Array.isArray(routes)) return [];
  return routes.flatMap((route: unknown, index) => {
    const { sessions, stdio, transport } = record(record(route).upstream);
    const at = (key: string) => `routes[${index}].upstream.${key}`;
    const problems: ConfigProblem[] = [];
    if (sessions === "shared") {
      problems.push({
        path: at("sessions"),
        found: '"shared" beside sessions.store "redis"',
        wanted:
          "dedicated, or the store memory or sqlite: instances cannot share one upstream session",
      });
    }
    if (stdio !== undefined || transport === "http+sse") {
      problems.push({
        path: at(stdio === undefined ? "transport" : "stdio"),
        found: 'sessions that no other instance can go on with, beside sessions.store "redis"',
        wanted: "Streamable HTTP, or the store memory or sqlite",
      });
    }
    return problems;
  });
}
