/**
 * Watches how the proxy says its targets are, and tells how long it took to notice faults and their ends.
 *
 * @module
 */

import { pause } from "./clients/mod.ts";
import type { Fault } from "./faults.ts";

const EVERY_MS = 50;

/** A target was seen in another state than before. */
export interface StateChange {
  readonly route: string;
  readonly target: string;
  readonly state: string;
  readonly atMs: number;
}

/** Times of one kind, in milliseconds. */
export interface Times {
  readonly count: number;
  readonly p50Ms: number | null;
  readonly maxMs: number | null;
  /** Faults that were over before anybody noticed, or targets that were not back at the end. */
  readonly never: number;
}

/** What an admin page tells of a target, as far as it is used here. */
interface Told {
  readonly name: string;
  readonly state: string;
}

/** Watches until it is over; the list grows meanwhile. */
export class Watch {
  readonly changes: StateChange[] = [];
  readonly #states = new Map<string, string>();
  /** Whether the proxy tells of targets. */
  isTold = false;

  /** @param admin origin of the admin address */
  constructor(readonly admin: string) {}

  /** Asks again and again. */
  async run(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await this.#look(over).catch(() => {});
      await pause(EVERY_MS, over);
    }
  }

  /** Whether all targets are said to be well. */
  get isWell(): boolean {
    return [...this.#states.values()].every((state) => state === "up" || state === "returning");
  }

  async #look(signal: AbortSignal): Promise<void> {
    const response = await fetch(new URL("/targets", this.admin), { signal });
    const text = await response.text();
    if (!response.ok) return;
    const atMs = performance.now();
    for (const { route, targets } of routesIn(JSON.parse(text))) {
      this.isTold = true;
      for (const { name: target, state } of targets) {
        const key = `${route} ${target}`;
        if (this.#states.get(key) === state) continue;
        this.#states.set(key, state);
        this.changes.push({ route, target, state, atMs });
      }
    }
  }
}

/** The routes in a page, wherever in it they stand. */
function routesIn(page: unknown): { route: string; targets: readonly Told[] }[] {
  if (Array.isArray(page)) return page.flatMap(routesIn);
  if (typeof page !== "object" || page === null) return [];
  const { route, name, targets } = page as Record<string, unknown>;
  const label = route ?? name;
  if (typeof label === "string" && Array.isArray(targets)) return [{ route: label, targets }];
  return Object.values(page).flatMap(routesIn);
}

/** How long it took from the beginning of faults until a route left their target alone. */
export function timesToEject(changes: readonly StateChange[], faults: readonly Fault[]): Times {
  return times(changes, faults, (route, { target, fromMs, untilMs }) => {
    const seen = changes.find((change) =>
      change.route === route && change.target === target && !isWell(change.state) &&
      change.atMs >= fromMs && change.atMs <= untilMs
    );
    return seen && seen.atMs - fromMs;
  });
}

/** How long it took from the end of faults until a route used their target again, where it had left it. */
export function timesToReadmit(changes: readonly StateChange[], faults: readonly Fault[]): Times {
  return times(changes, faults, (route, { target, untilMs }) => {
    const own = changes.filter((change) => change.route === route && change.target === target);
    const before = own.findLast(({ atMs }) => atMs <= untilMs);
    if (before === undefined || isWell(before.state)) return "not left";
    const seen = own.find(({ state, atMs }) => isWell(state) && atMs > untilMs);
    return seen && seen.atMs - untilMs;
  });
}

function isWell(state: string): boolean {
  return state === "up" || state === "returning";
}

function times(
  changes: readonly StateChange[],
  faults: readonly Fault[],
  timeOf: (route: string, fault: Fault) => number | "not left" | undefined,
): Times {
  const routes = [...new Set(changes.map(({ route }) => route))];
  const all = faults.filter(({ kind }) => kind !== "reset")
    .flatMap((fault) => routes.map((route) => timeOf(route, fault)))
    .filter((time) => time !== "not left");
  const found = all.filter((time) => time !== undefined).toSorted((a, b) => a - b);
  return {
    count: found.length,
    p50Ms: found.length === 0 ? null : Math.round(found[Math.floor(found.length / 2)]!),
    maxMs: found.length === 0 ? null : Math.round(found.at(-1)!),
    never: all.length - found.length,
  };
}
