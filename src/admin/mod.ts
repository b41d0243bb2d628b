/**
 * The admin address: health, status, sessions and targets, from snapshots; and what an operator may do to the
 * process: drain it or a target, and load its config anew. Nothing else is changed by it.
 *
 * May import `clock.ts`, `errors.ts`, `http`, the checks at the door in `front`, what is read: `session`, and
 * types of `balance`, `config`, `relay` and `telemetry`.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../errors.ts";
import type { ClientAnswer, ClientRequest, Handler } from "../http/mod.ts";
import {
  allowedOrigin,
  checkHost,
  checkReader,
  type DoorRules,
  refusal,
  targetPath,
} from "../front/mod.ts";
import { refusePages } from "./caller.ts";
import { json, namesIn, type Page } from "./page.ts";
import { metrics } from "./metrics.ts";
import { beginDrain, drainTold, reload, resume } from "./process.ts";
import { healthz, readyz, readyzOf } from "./readiness.ts";
import type { AdminSources } from "./sources.ts";
import { allTargets, drainTarget, resumeTarget, targetsOf } from "./targets.ts";

export type { ClientInfo } from "./client_info.ts";
export {
  SessionPages,
  type SessionPagesOptions,
  type ToldSession,
  type ToldSessions,
  type ToldStream,
} from "./sessions.ts";
export type { ToldTarget, ToldTargets } from "./targets.ts";
export type { AdminRoute, AdminSources, ProcessDrain, Snapshot, ToldDrain } from "./sources.ts";

/** The pages. A part of a path in capitals stands for a name. */
const PAGES: readonly (readonly [path: string, page: Page])[] = [
  ["/healthz", { GET: healthz }],
  ["/readyz", { GET: readyz }],
  ["/readyz/ROUTE", { GET: readyzOf }],
  ["/status", { GET: (sources) => json(200, sources.snapshot()) }],
  ["/metrics", { GET: metrics }],
  ["/sessions", { GET: ({ sessions }, { query }) => json(200, sessions.list(query)) }],
  ["/sessions/KEY", { GET: ({ sessions }, { names: [key] }) => json(200, sessions.one(key!)) }],
  ["/targets", { GET: allTargets }],
  ["/targets/ROUTE", { GET: targetsOf }],
  ["/targets/ROUTE/TARGET/drain", { POST: drainTarget }],
  ["/targets/ROUTE/TARGET/resume", { POST: resumeTarget }],
  ["/drain", { GET: drainTold, POST: beginDrain }],
  ["/resume", { POST: resume }],
  ["/reload", { POST: reload }],
];

/** The handler of the admin address; never rejects. */
export function adminHandler(door: DoorRules, sources: AdminSources): Handler {
  return async (request) => {
    try {
      return await answer(request, door, sources);
    } catch (error) {
      return refusal(toProxyError(error));
    }
  };
}

function answer(
  request: ClientRequest,
  door: DoorRules,
  sources: AdminSources,
): ClientAnswer | Promise<ClientAnswer> {
  const isRead = request.method === "GET" || request.method === "HEAD";
  const host = isRead ? checkReader(request, door) : checkHost(request, door);
  allowedOrigin(request.headers, host, door);
  const { path, query } = targetPath(request.target);
  const { page, names } = findPage(path);
  const act = request.method === "HEAD" ? page.GET : methodOf(page, request.method);
  if (act === undefined) throw otherMethod(page);
  // What is only read may be shown to a page of an allowed origin; what does something is for none.
  if (act === page.POST) refusePages(request.headers);
  return act(sources, { query, names });
}

function findPage(path: string): { page: Page; names: readonly string[] } {
  for (const [pattern, page] of PAGES) {
    const names = namesIn(path, pattern);
    if (names !== undefined) return { page, names };
  }
  const paths = PAGES.map(([pattern]) => pattern).join(", ");
  throw new ProxyError("route_not_found", `There is no such page; there are ${paths}.`);
}

function methodOf(page: Page, method: string) {
  return method === "GET" || method === "POST" ? page[method] : undefined;
}

function otherMethod(page: Page): ProxyError {
  const methods = [...(page.GET ? ["GET", "HEAD"] : []), ...(page.POST ? ["POST"] : [])];
  const allow = methods.join(", ");
  return new ProxyError("method_not_allowed", `Use ${allow} here.`, { headers: { allow } });
}
