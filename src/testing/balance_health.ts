/**
 * Targets whose health a test decides, on a clock that stands still.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { fleetHealth, type Outcome, type TargetHealth } from "../balance/mod.ts";
import type { Timer } from "../clock.ts";
import type { HealthConfig } from "../config/mod.ts";
import { keptLog } from "./intercept.ts";
import { ManualClock } from "./manual_clock.ts";

/** Small round numbers; probes are off. */
export const HEALTH: HealthConfig = {
  probe: "off",
  intervalMs: 1_000,
  timeoutMs: 200,
  unhealthyAfter: 2,
  healthyAfter: 2,
  maxFailures: 3,
  slowFactor: 5,
  slowMinMs: 100,
  ejectMs: 1_000,
  maxEjectMs: 6_000,
  slowStartMs: 900,
  breakerTimeouts: 0,
  breakerMs: 100,
};

/** Time whose randomness is exactly in the middle, so that nothing is jittered. */
export class EvenClock extends ManualClock {
  /** How long the timer that was set last was to wait, in milliseconds. */
  latestDelayMs = NaN;

  override after(delayMs: number, callback: () => void): Timer {
    this.latestDelayMs = delayMs;
    return super.after(delayMs, callback);
  }

  override randomBytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    bytes[length - 1] = 0x80;
    return bytes;
  }
}

/** A call that was answered. */
export function answered(status = 200, headMs = 0, retryAfterMs?: number): Outcome {
  return { kind: "answered", status, headMs, retryAfterMs };
}

/**
 * A fleet of targets with the names `names`; `downs` has the names of those that were told to be down, `doubts`
 * of those that were doubted.
 */
export function fleetUnderTest(settings: Partial<HealthConfig> = {}, names = ["a", "b"]) {
  const clock = new EvenClock();
  const log = keptLog();
  const fleet = fleetHealth({ ...HEALTH, ...settings }, clock, log, "r");
  const downs: string[] = [];
  const doubts: string[] = [];
  const add = (name: string): TargetHealth =>
    fleet.add(name, {
      down: () => void downs.push(name),
      doubted: () => void doubts.push(name),
    });
  const [a, b, c] = names.map(add);
  return { clock, log, fleet, add, downs, doubts, a: a!, b: b!, c: c! };
}

/** Calls of a target, each admitted and over at once. */
export function calls(target: TargetHealth, count: number, outcome: Outcome): void {
  for (let call = 0; call < count; call++) {
    assertEquals(target.admit(), 0);
    target.record(outcome);
  }
}
