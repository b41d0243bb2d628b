/**
 * What the admin pages see and may do of a route's targets.
 *
 * @module
 */

import type { HealthTold } from "./health.ts";

/** One target for the admin pages: its name, and no word of where it is. */
export interface TargetTold extends HealthTold {
  /** Its name. */
  readonly name: string;
  /** Its configured weight. */
  readonly weight: number;
  /** Whether it gets no new work, because an operator wants it so. */
  readonly draining: boolean;
  /** Answers that are not over yet, streams included. */
  readonly underWay: number;
  /** Calls since the start. */
  readonly calls: number;
  /** Of those, the ones that failed at the server. */
  readonly failures: number;
}

/** The targets of one route. */
export interface RouteTargets {
  /** The route's name. */
  readonly route: string;
  /** All of them, in the order of the config. */
  targets(): readonly TargetTold[];
  /** What was retried since the start, and what the budget kept from it. */
  retries(): { readonly made: number; readonly refused: number };
  /**
   * Has a target get no new work. Its sessions stay for `moveAfterMs` milliseconds, then they are begun anew
   * elsewhere, while another target is well: with their next request, or at once where they only listen. Where it
   * is left out they stay for good.
   *
   * @returns whether there is a target of this name
   */
  drain(name: string, moveAfterMs?: number): boolean;
  /** Takes `drain` back. */
  resume(name: string): boolean;
}
