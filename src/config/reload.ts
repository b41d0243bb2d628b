/**
 * Putting one config in the place of another while the proxy runs: what came of it, and what it cannot change.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import type { ConfigProblem } from "./problems.ts";
import type { Config, LimitsConfig } from "./types.ts";

/** What has become of the routes, by their names. */
export interface ReloadedRoutes {
  /** Those that were not there before. */
  readonly added: readonly string[];
  /** Those that are not there any more. */
  readonly removed: readonly string[];
  /** Those of which anything is not as it was, the limits and interceptors of all routes included. */
  readonly changed: readonly string[];
  /** Those that are as they were. */
  readonly kept: readonly string[];
}

/** What came of a reload: the new config runs, or the old one as before and nothing has changed. */
export type ReloadOutcome =
  | { readonly ok: true; readonly routes: ReloadedRoutes }
  | {
    readonly ok: false;
    /** A sentence for each, without secrets. */
    readonly problems: readonly string[];
  };

/** What has to stand in the place of a setting that a reload cannot change. */
export const RESTART_WANTED = "the value it has, or a restart";

/** Settings that sockets, stores and tables were opened with. */
const FIXED = [
  "listen",
  "admin",
  "httpServer",
  "logFormat",
  "dataDir",
  "sessions",
  "redis",
  "eventLog",
  "record",
] as const satisfies readonly (keyof Config)[];

/** Limits that the listener's deadlines and the stores were made with. */
const FIXED_LIMITS = [
  "requestBodyTimeoutMs",
  "requestHeadTimeoutMs",
  "connectionIdleTimeoutMs",
  "clientWriteTimeoutMs",
  "sessionIdleTimeoutMs",
  "sessionLifetimeMs",
] as const satisfies readonly (keyof LimitsConfig)[];

/** Rooms in which secrets may stand, so that what was found there is not shown (R96). */
const SECRET: ReadonlySet<string> = new Set(["sessions", "redis"]);

/** Each setting of `next` that differs from `running` and that only a restart can change. */
export function restartProblems(running: Config, next: Config): ConfigProblem[] {
  // A directory that outlives the process was told how long streams may be resumed.
  const isLasting = running.eventLog.store === "sqlite" || running.eventLog.store === "redis";
  const limits = isLasting ? [...FIXED_LIMITS, "resumeWindowMs" as const] : FIXED_LIMITS;
  return [
    ...FIXED.filter((key) => !isDeepStrictEqual(running[key], next[key]))
      .map((key) => problem(key, SECRET.has(key) ? undefined : next[key] ?? null)),
    ...limits.filter((key) => running.limits[key] !== next.limits[key])
      .map((key) => problem(`limits.${key}`, next.limits[key])),
  ];
}

function problem(path: string, value: unknown): ConfigProblem {
  const found = value === undefined
    ? "another value"
    : value === null
    ? "nothing"
    : JSON.stringify(value);
  return { path, found, wanted: RESTART_WANTED };
}
