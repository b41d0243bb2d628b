/**
 * What a target asks of those beside it, and has told: the seam between one target and all of them.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { HealthConfig } from "../config/mod.ts";
import type { TargetHealth, TargetState } from "./health.ts";

/** What a target asks of those beside it. */
export interface Fleet {
  /** The settings now. */
  readonly settings: HealthConfig;
  /** Time, and randomness. */
  readonly clock: Clock;
  /** Whether targets are asked at intervals how they are. */
  readonly isProbed: boolean;
  /** Whether one beside `target` may be chosen. */
  hasOther(target: TargetHealth): boolean;
  /** The median of the others' medians, in milliseconds; null where there are too few times. */
  medianBeside(target: TargetHealth): number | null;
  /** Tells the log of a target, by its name. */
  tell(name: string, change: Change): void;
  /** A target is down or gone. */
  lost(): void;
}

/** What became of a target, for the log. */
export interface Change {
  /** What became of it: how it is now, what its breaker does, or that it asked for a pause. */
  readonly to: TargetState | "breaker-open" | "breaker-closed" | "pausing";
  /** Why, in a few words. */
  readonly reason: string | null;
  /** For how long, where that is known, in milliseconds. */
  readonly forMs?: number;
}
