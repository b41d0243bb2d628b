/**
 * Several targets as one `Upstream`: which one a call goes to, how failing ones are noticed and left alone, and
 * what may be sent once more.
 *
 * `balancer.ts` sends calls, by `choosing.ts`, whose policies are in `policies.ts`, to the targets in `roster.ts`.
 * `target.ts` is one of them, `target_spec.ts` as the config has it; `request.ts` is a call on its way there.
 * `health.ts` is the seam between choosing and watching. `fleet.ts` watches over all targets, `target_state.ts`
 * over one of them (`beside.ts` is the seam), by its `breaker.ts`, `ejection.ts`, `latency.ts` and what comes
 * `in_row.ts`, which know no timers. `prober.ts` asks a target at intervals what `probes.ts` says.
 *
 * May import `clock.ts`, `errors.ts`, `http`, `upstream`, `era` and `rpc` (for requests of the proxy's own),
 * `telemetry`, and types of `config`.
 *
 * @module
 */

export { Balancer } from "./balancer.ts";
export type {
  Failure,
  FleetHealth,
  HealthListener,
  HealthTold,
  Outcome,
  TargetHealth,
  TargetState,
} from "./health.ts";
export type { BalancerOptions } from "./options.ts";
export type { TargetSpec, Watch, Watching } from "./target_spec.ts";
export { type AdjustableFleetHealth, fleetHealth } from "./fleet.ts";
export { chosenProbe } from "./probes.ts";
export { type ProbeOptions, type Probing, startProbes } from "./prober.ts";
export type { RouteTargets, TargetTold } from "./told.ts";
