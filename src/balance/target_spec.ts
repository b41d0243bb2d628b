/**
 * A target as the config has it.
 *
 * @module
 */

import type { Upstream } from "../upstream/mod.ts";
import type { TargetHealth } from "./health.ts";

/** A target as the config has it. */
export interface TargetSpec {
  /** Its name; `UNNAMED` for the one target of an upstream without names. */
  readonly name: string;
  /** Its share of the calls beside the others' weights. */
  readonly weight: number;
  /** Where it is: a target with the same name at the same place is the same. */
  readonly place: string;
  /** How it is probed; left out where it is not. */
  readonly watching?: Watching | undefined;
  /** Opens it; what comes back is the target's to close. */
  open(): Upstream;
}

/** How a target is probed. */
export interface Watching {
  /** What differs where it is probed in another way. */
  readonly key: string;
  /** Begins. */
  begin(health: TargetHealth): Watch;
}

/** Probes that are being made. */
export interface Watch {
  /** Makes the next one now. */
  hurry(): void;
  /** Makes no more. */
  stop(): Promise<void>;
}
