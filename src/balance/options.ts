/**
 * What a balancer is given.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { FleetHealth } from "./health.ts";

/** What a balancer is given. */
export interface BalancerOptions {
  /** Name of the route, for the admin pages. */
  readonly route: string;
  /** Judges the targets beside each other. */
  readonly fleet: FleetHealth;
  /** How long answers of a target may go on that is one no more, in milliseconds. */
  readonly closeAfterMs: number;
  /** Time, and randomness. */
  readonly clock: Clock;
}
