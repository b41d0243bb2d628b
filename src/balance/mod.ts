/**
 * Several targets as one `Upstream`: which one a call goes to, how failing ones are noticed and left alone, and
 * what may be sent once more.
 *
 * May import `clock.ts`, `errors.ts`, `http`, `upstream`, and types of `config` and `telemetry`.
 *
 * @module
 */

export type {
  FleetHealth,
  HealthListener,
  HealthTold,
  Outcome,
  TargetHealth,
  TargetState,
} from "./health.ts";
export type { RouteTargets, TargetTold } from "./told.ts";
