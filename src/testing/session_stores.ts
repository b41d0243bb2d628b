/**
 * Session stores as their tests use them.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import type { SessionRecord, SessionStoreLimits } from "../session/mod.ts";
import { ManualClock } from "./manual_clock.ts";

/** Far longer than a test takes: Redis goes by its own clock. */
export const STORE_LIMITS: SessionStoreLimits = { idleTimeoutMs: 600_000, lifetimeMs: 3_600_000 };

/** A clock moved by hand that begins now: for Redis a time that has passed is one. */
export class StoreClock extends ManualClock {
  readonly #startMs = systemClock.now().getTime();

  override now(): Date {
    return new Date(this.nowMs);
  }

  /** The time of day, in milliseconds since 1970. */
  get nowMs(): number {
    return this.#startMs + this.monotonicMs();
  }
}

/** A record made now, with little in it. */
export function recordFor(
  clock: StoreClock,
  key: string,
  more: Partial<SessionRecord> = {},
): SessionRecord {
  return {
    key,
    route: "default",
    principal: "anonymous",
    state: "open",
    upstreamId: `upstream of ${key}`,
    generation: 0,
    createdMs: clock.nowMs,
    lastUsedMs: clock.nowMs,
    subscriptions: [],
    ...more,
  };
}

/** A record made now, with everything in it. */
export function fullRecordFor(clock: StoreClock, key: string): SessionRecord {
  return recordFor(clock, key, {
    route: "/mcp/ä",
    principal: "key:☃\u0000\u2028\"'",
    state: "closing",
    upstreamId: "\u007f\ud83d\ude00",
    generation: 12_345,
    createdMs: clock.nowMs - 5,
    revision: "2025-11-25",
    initialize: JSON.stringify({ method: "initialize", params: { x: "y".repeat(100_000) } }),
    logLevel: "debug",
    subscriptions: ["file:///a", "", "file:///ö b"],
    changingLists: ["tools"],
  });
}
