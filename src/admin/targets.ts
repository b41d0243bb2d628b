/**
 * The targets of routes: how they are, and taking one out of service.
 *
 * @module
 */

import type { RouteTargets, TargetTold } from "../balance/mod.ts";
import { ProxyError } from "../errors.ts";
import { httpSseSessions } from "../front/mod.ts";
import { type ClientAnswer, targetOfId } from "../http/mod.ts";
import { type Asked, json } from "./page.ts";
import { routeNamed } from "./readiness.ts";
import type { AdminSources } from "./sources.ts";

/** Longest `moveAfterMs`: a week, as sessions live by default. */
export const MAX_MOVE_AFTER_MS = 604_800_000;

/** The targets of all routes that have any. */
export function allTargets(sources: AdminSources): ClientAnswer {
  const here = placesOf(sources);
  const routes = sources.routes().flatMap(({ targets }) => targets ? [tell(targets, here)] : []);
  return json(200, { routes });
}

/**
 * The targets of one route.
 *
 * @throws {ProxyError} `route_not_found`
 */
export function targetsOf(sources: AdminSources, { names: [route] }: Asked): ClientAnswer {
  return json(200, tell(targetsNamed(sources, route!), placesOf(sources)));
}

/**
 * Has a target get no new work; `?moveAfterMs=N` says when its sessions go elsewhere. Answers as `targetsOf`.
 *
 * @throws {ProxyError} `route_not_found` where there is no such route or target, `bad_request`
 */
export function drainTarget(sources: AdminSources, { names, query }: Asked): ClientAnswer {
  const moveAfterMs = moveAfterOf(query);
  const answer = change(sources, names, (targets, name) => targets.drain(name, moveAfterMs));
  const [route, target] = names;
  sources.logger.info("target drained by an operator", { route, target, moveAfterMs });
  return answer;
}

/**
 * Takes `drainTarget` back. Answers as `targetsOf`.
 *
 * @throws {ProxyError} `route_not_found` where there is no such route or target
 */
export function resumeTarget(sources: AdminSources, { names }: Asked): ClientAnswer {
  const answer = change(sources, names, (targets, name) => targets.resume(name));
  const [route, target] = names;
  sources.logger.info("target taken back by an operator", { route, target });
  return answer;
}

function change(
  sources: AdminSources,
  [route, target]: readonly string[],
  act: (targets: RouteTargets, name: string) => boolean,
): ClientAnswer {
  const targets = targetsNamed(sources, route!);
  if (act(targets, target!)) return json(200, tell(targets, placesOf(sources)));
  throw new ProxyError(
    "route_not_found",
    "The route has no target of this name; /targets lists them.",
  );
}

/** A target, and how many sessions of clients at this instance stay with it. */
export interface ToldTarget extends TargetTold {
  /** Those with a session of their own there; what is shared or translated is not any target's. */
  readonly sessions: number;
}

/** The targets of one route. */
export interface ToldTargets {
  /** The name of the route. */
  readonly route: string;
  /** Sessions of clients at this instance, those without a target of their own included. */
  readonly sessions: number;
  /** What was retried since the start, and what the budget kept from it. */
  readonly retries: ReturnType<RouteTargets["retries"]>;
  /** The targets, in the order of the config. */
  readonly targets: readonly ToldTarget[];
}

/** How many sessions there are of each route, by the name of the target that they are at. */
type Places = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Looks at every session there is here, of which `limits.maxSessions` bounds the number. */
function placesOf(sources: AdminSources): Places {
  const places = new Map<string, Map<string, number>>();
  for (const { route, upstreamId } of sources.sessionsHere()) {
    let ofRoute = places.get(route);
    if (ofRoute === undefined) places.set(route, ofRoute = new Map());
    const target = targetOfId(upstreamId);
    ofRoute.set(target, (ofRoute.get(target) ?? 0) + 1);
  }
  return places;
}

function tell(targets: RouteTargets, places: Places): ToldTargets {
  const { route } = targets;
  // Clients of HTTP+SSE have their sessions under a name of their own.
  const counts = [route, httpSseSessions(route)].flatMap((name) => places.get(name) ?? []);
  const at = (target: string) => counts.reduce((sum, count) => sum + (count.get(target) ?? 0), 0);
  return {
    route,
    sessions: counts.flatMap((count) => [...count.values()]).reduce((sum, n) => sum + n, 0),
    retries: targets.retries(),
    targets: targets.targets().map((target) => ({ ...target, sessions: at(target.name) })),
  };
}

function targetsNamed(sources: AdminSources, route: string): RouteTargets {
  const { targets } = routeNamed(sources, route);
  if (targets !== undefined) return targets;
  throw new ProxyError("route_not_found", "This route has no targets: its server is a program.");
}

/** What is not understood is refused: a misspelt name would have sessions stay for good. */
function moveAfterOf(query: string): number | undefined {
  const asked = [...new URLSearchParams(query)];
  if (asked.length === 0) return undefined;
  const [[name, value]] = asked as [[string, string]];
  const ms = /^[0-9]+$/.test(value) ? Number(value) : Infinity;
  if (asked.length === 1 && name === "moveAfterMs" && ms <= MAX_MOVE_AFTER_MS) return ms;
  throw new ProxyError(
    "bad_request",
    `The query may be ?moveAfterMs=N alone, N being whole milliseconds from 0 to ${MAX_MOVE_AFTER_MS}.`,
  );
}
