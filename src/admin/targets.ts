/**
 * The targets of routes: how they are, and taking one out of service.
 *
 * @module
 */

import type { RouteTargets } from "../balance/mod.ts";
import { ProxyError } from "../errors.ts";
import type { ClientAnswer } from "../http/mod.ts";
import { type Asked, json } from "./page.ts";
import { routeNamed } from "./readiness.ts";
import type { AdminSources } from "./sources.ts";

/** Longest `moveAfterMs`: a week, as sessions live by default. */
export const MAX_MOVE_AFTER_MS = 604_800_000;

/** The targets of all routes that have any. */
export function allTargets(sources: AdminSources): ClientAnswer {
  const routes = sources.routes().flatMap(({ targets }) => targets ? [tell(targets)] : []);
  return json(200, { routes });
}

/**
 * The targets of one route.
 *
 * @throws {ProxyError} `route_not_found`
 */
export function targetsOf(sources: AdminSources, { names: [route] }: Asked): ClientAnswer {
  return json(200, tell(targetsNamed(sources, route!)));
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
  if (act(targets, target!)) return json(200, tell(targets));
  throw new ProxyError(
    "route_not_found",
    "The route has no target of this name; /targets lists them.",
  );
}

function tell(targets: RouteTargets) {
  return { route: targets.route, retries: targets.retries(), targets: targets.targets() };
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
