/**
 * Health of targets that nobody watches: all is taken for well.
 *
 * @module
 */

import type { FleetHealth, TargetHealth } from "./health.ts";

const TOLD = {
  state: "up",
  reason: null,
  forMs: 0,
  failuresInRow: 0,
  ejections: 0,
  breaker: "closed",
  medianMs: null,
  probe: null,
} as const;

const HEALTHY: TargetHealth = {
  state: "up",
  isAvailable: true,
  share: 1,
  admit: () => 0,
  record: () => {},
  forget: () => {},
  probed: () => {},
  told: () => TOLD,
  remove: () => {},
};

/** Targets that are always well. */
export const assumedHealthy: FleetHealth = { add: () => HEALTHY };
