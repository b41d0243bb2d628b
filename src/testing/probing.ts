/**
 * A prober under test.
 *
 * @module
 */

import { type ProbeOptions, startProbes } from "../balance/mod.ts";
import { http1Client, parseTarget } from "../upstream/mod.ts";
import { EvenClock } from "./balance_health.ts";

const NO_TLS = { caCerts: [], cert: undefined, key: undefined };
/** An interval of a second. */
export const SETTINGS = { probe: "ping", intervalMs: 1_000, timeoutMs: 200 };

/** How a probe ended. */
export type Told = readonly [ok: boolean, why: string | undefined];

/** A prober whose first probe is due after half an interval, and what it tells. */
export function probing(url: string, options: Partial<ProbeOptions> = {}) {
  const clock = new EvenClock();
  const told: Told[] = [];
  const waiting: ((told: Told) => void)[] = [];
  const probed = (ok: boolean, why?: string) => {
    told.push([ok, why]);
    waiting.shift()?.([ok, why]);
  };
  const prober = startProbes({
    ...parseTarget(url, NO_TLS)!,
    transport: "streamable-http",
    headers: {},
    settings: SETTINGS,
    targets: 2,
    clock,
    health: { probed },
    makeClient: http1Client,
    ...options,
  });
  const next = () => new Promise<Told>((resolve) => waiting.push(resolve));
  return { clock, told, next, hurry: () => prober.hurry(), stop: () => prober.stop() };
}
