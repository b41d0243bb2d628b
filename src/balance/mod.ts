/**
 * Several targets as one `Upstream`: which one a call goes to, how failing ones are noticed and left alone, and
 * what may be sent once more.
 *
 * May import `clock.ts`, `errors.ts`, `http`, `upstream`, and types of `config` and `telemetry`.
 *
 * @module
 */

export { assumedHealthy } from "./assumed_healthy.ts";
export { Balancer } from "./balancer.ts";
export type {
  FleetHealth,
  HealthListener,
  HealthTold,
  Outcome,
  TargetHealth,
  TargetState,
} from "./health.ts";
export type { BalancerOptions } from "./options.ts";
export type { OpenedTarget, TargetSpec, Watch } from "./target.ts";
export { UNNAMED } from "./target_ids.ts";
export type { RouteTargets, TargetTold } from "./told.ts";
