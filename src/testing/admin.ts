/**
 * The admin address over sources that a test writes.
 *
 * @module
 */

import { adminHandler, type AdminSources, type ToldDrain } from "../admin/mod.ts";
import type { RouteTargets, TargetState, TargetTold } from "../balance/mod.ts";
import { NEVER_ABORTED } from "../http/mod.ts";
import { keptLog } from "./intercept.ts";
import { exchange, type RawResponse } from "./raw_client.ts";

/** An answer of an admin page. */
export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed body, whatever it is. */
  readonly value: ReturnType<typeof JSON.parse>;
}

/** Targets that keep in mind what they were told. */
export interface FakeTargets extends RouteTargets {
  /** Each change: what, of which target, and after how long sessions move. */
  readonly asked: (readonly [what: string, name: string, moveAfterMs?: number])[];
  /** How each is; a test may change it. */
  readonly states: Map<string, TargetState>;
}

/** The targets of a route, by their states. */
export function fakeTargets(
  route: string,
  states: Readonly<Record<string, TargetState>>,
): FakeTargets {
  const known = new Map(Object.entries(states));
  const drained = new Set<string>();
  const asked: FakeTargets["asked"] = [];
  const told = (name: string): TargetTold => ({
    name,
    weight: 1,
    draining: drained.has(name),
    underWay: 0,
    calls: 0,
    failures: 0,
    state: known.get(name)!,
    reason: null,
    forMs: 0,
    pausedForMs: 0,
    failuresInRow: 0,
    ejections: 0,
    breaker: "closed",
    medianMs: null,
    probe: null,
  });
  return {
    route,
    asked,
    states: known,
    targets: () => [...known.keys()].map(told),
    retries: () => ({ made: 1, refused: 2 }),
    drain(name, moveAfterMs) {
      asked.push(moveAfterMs === undefined ? ["drain", name] : ["drain", name, moveAfterMs]);
      if (known.has(name)) drained.add(name);
      return known.has(name);
    },
    resume(name) {
      asked.push(["resume", name]);
      drained.delete(name);
      return known.has(name);
    },
  };
}

/** Asks the admin address of such a proxy, without sockets. */
export function fakeAdmin(sources: Partial<AdminSources> = {}) {
  const told = { draining: false, stopping: false };
  const logger = keptLog();
  const state = (): ToldDrain => ({
    ...told,
    requestsWaiting: 1,
    answersUnderWay: 3,
    subscriptions: 2,
    clientConnections: null,
  });
  const nowhere = (): never => {
    throw new TypeError("This test has nothing of the kind.");
  };
  const handler = adminHandler({ hosts: new Set(), origins: new Set(["https://ui.test"]) }, {
    uptimeMs: () => 12,
    snapshot: nowhere,
    get sessions() {
      return nowhere();
    },
    sessionsHere: () => [],
    routes: () => [],
    failingStores: () => Promise.resolve([]),
    drain: {
      begin: () => void (told.draining = true),
      resume() {
        if (!told.stopping) told.draining = false;
        return !told.stopping;
      },
      told: state,
    },
    logger,
    ...sources,
  });
  const ask = async (
    method: string,
    target: string,
    fields: Readonly<Record<string, string>> = {},
  ): Promise<AdminAnswer> => {
    const { status, fields: answered, body } = await handler({
      method,
      target,
      headers: new Headers({ host: "localhost", ...fields }),
      signal: NEVER_ABORTED,
      body: () => new Uint8Array(),
    });
    const headers = new Headers();
    answered.forEach((value, name) => headers.append(name, value));
    return { status, headers, value: JSON.parse(new TextDecoder().decode(body as Uint8Array)) };
  };
  return { told, ask, lines: logger.lines };
}

/** Asks the admin address at `origin` over a connection of its own. */
export function adminRequest(
  origin: string | null,
  method: string,
  path: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<RawResponse> {
  const lines = Object.entries({ host: "localhost", connection: "close", ...fields })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return exchange(origin!, `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
}
