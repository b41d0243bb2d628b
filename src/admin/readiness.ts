/**
 * `/healthz` and `/readyz`: is the process alive, and should requests come to it.
 *
 * @module
 */

import type { TargetState, TargetTold } from "../balance/mod.ts";
import { ProxyError } from "../errors.ts";
import type { ClientAnswer } from "../http/mod.ts";
import { type Asked, json } from "./page.ts";
import type { AdminRoute, AdminSources } from "./sources.ts";

/** How many targets of a route are how; one that is drained counts under its state too. */
export type TargetCounts = Readonly<Record<TargetState | "total" | "draining", number>>;

/** One route for a probe. */
export interface ToldRoute {
  /** Its name. */
  readonly name: string;
  /** Whether a request for it has a server to go to, as far as that is known. */
  readonly ready: boolean;
  /** Its targets; left out where nothing is known of them, as for a program. */
  readonly targets?: TargetCounts;
}

/** Why requests should not come; `ok` where they should. */
export type ReadinessStatus = "ok" | "stopping" | "draining" | "unavailable";

/** The process lives: it answers. */
export function healthz(sources: AdminSources): ClientAnswer {
  return json(200, { status: "ok", uptimeMs: sources.uptimeMs() });
}

/** 503 where the process is of no use to any client, 200 otherwise; one dead route of many is no reason. */
export async function readyz(sources: AdminSources): Promise<ClientAnswer> {
  const { status, reasons } = await ofProcess(sources);
  const routes = sources.routes().map(tellRoute);
  if (routes.length === 0 || routes.some(({ ready }) => ready)) {
    return answer(status, reasons, { routes });
  }
  return answer(status, [...reasons, "All targets of every route are down."], { routes });
}

/**
 * 503 where the process is of no use to clients of one route.
 *
 * @throws {ProxyError} `route_not_found`
 */
export async function readyzOf(
  sources: AdminSources,
  { names: [name] }: Asked,
): Promise<ClientAnswer> {
  const route = tellRoute(routeNamed(sources, name!));
  const { status, reasons } = await ofProcess(sources);
  const more = route.ready ? [] : ["All targets of this route are down."];
  return answer(status, [...reasons, ...more], { route });
}

/**
 * The route of this name.
 *
 * @throws {ProxyError} `route_not_found`
 */
export function routeNamed(sources: AdminSources, name: string): AdminRoute {
  const route = sources.routes().find((one) => one.name === name);
  if (route !== undefined) return route;
  throw new ProxyError(
    "route_not_found",
    "There is no route of this name; /status lists them, and a slash in a name is written %2F.",
  );
}

/** What concerns all routes alike. */
async function ofProcess(
  { drain, failingStores }: AdminSources,
): Promise<{ status: ReadinessStatus; reasons: readonly string[] }> {
  const { draining, stopping } = drain.told();
  const failing = await failingStores();
  if (stopping) return { status: "stopping", reasons: ["The proxy is stopping.", ...failing] };
  if (draining) return { status: "draining", reasons: ["The proxy is draining.", ...failing] };
  return { status: "ok", reasons: failing };
}

function answer(
  status: ReadinessStatus,
  reasons: readonly string[],
  told: Readonly<Record<string, unknown>>,
): ClientAnswer {
  if (reasons.length === 0) return json(200, { status, reasons, ...told });
  return json(503, { status: status === "ok" ? "unavailable" : status, reasons, ...told });
}

function tellRoute({ name, targets }: AdminRoute): ToldRoute {
  if (targets === undefined) return { name, ready: true };
  const counts = count(targets.targets());
  return { name, ready: counts.total === 0 || counts.down < counts.total, targets: counts };
}

function count(targets: readonly TargetTold[]): TargetCounts {
  const counts = { total: 0, up: 0, returning: 0, ejected: 0, down: 0, draining: 0 };
  for (const { state, draining } of targets) {
    counts.total++;
    counts[state]++;
    if (draining) counts.draining++;
  }
  return counts;
}
