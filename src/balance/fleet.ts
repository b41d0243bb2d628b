/**
 * The health of all targets of an upstream, which are judged beside each other: one always stays.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { HealthConfig } from "../config/mod.ts";
import { type Logger, nullLogger } from "../telemetry/mod.ts";
import type { Change, Fleet } from "./beside.ts";
import type { FleetHealth, HealthListener, TargetHealth } from "./health.ts";
import { median } from "./latency.ts";
import { chosenProbe } from "./probes.ts";
import { WatchedTarget } from "./target_state.ts";

/** The health of all targets of an upstream, under settings that can change. */
export interface AdjustableFleetHealth extends FleetHealth {
  /** Takes other settings. Targets stay as they are, and times that have begun go on. */
  update(settings: HealthConfig): void;
}

/**
 * Watches over targets by what is told of their calls and probes. Its log lines name `route` and the target,
 * never where it is.
 */
export function fleetHealth(
  settings: HealthConfig,
  clock: Clock,
  logger: Logger = nullLogger,
  route?: string,
): AdjustableFleetHealth {
  return new WatchedFleet(settings, clock, logger, route);
}

class WatchedFleet implements AdjustableFleetHealth, Fleet {
  readonly clock: Clock;
  readonly #logger: Logger;
  readonly #route: string | undefined;
  readonly #targets = new Set<WatchedTarget>();
  #settings: HealthConfig;

  constructor(settings: HealthConfig, clock: Clock, logger: Logger, route: string | undefined) {
    this.#settings = settings;
    this.clock = clock;
    this.#logger = logger;
    this.#route = route;
  }

  get settings(): HealthConfig {
    return this.#settings;
  }

  get isProbed(): boolean {
    return chosenProbe(this.#settings.probe, this.#targets.size) !== "off";
  }

  add(name: string, listener: HealthListener): TargetHealth {
    const target = new WatchedTarget(name, listener, this);
    this.#change(() => void this.#targets.add(target));
    return target;
  }

  update(settings: HealthConfig): void {
    this.#change(() => this.#settings = settings);
  }

  hasOther(target: TargetHealth): boolean {
    for (const other of this.#targets) {
      if (other !== target && other.isAvailable) return true;
    }
    return false;
  }

  medianBeside(target: TargetHealth): number | null {
    const medians: number[] = [];
    for (const other of this.#targets) {
      if (other !== target && other.medianMs !== null) medians.push(other.medianMs);
    }
    return medians.length === 0 ? null : median(Float64Array.from(medians));
  }

  /** Where nobody is left, the one whose ejection would be over first comes back: never all at once. */
  lost(): void {
    this.#change(() => {
      for (const target of this.#targets) if (target.isRemoved) this.#targets.delete(target);
    });
    const states = [...this.#targets].map((target) => ({ target, state: target.state }));
    if (states.some(({ state }) => state === "up" || state === "returning")) return;
    const ejected = states.filter(({ state }) => state === "ejected").map(({ target }) => target);
    ejected.sort((a, b) => a.untilMs - b.untilMs)[0]?.comeBack("no other target is left");
  }

  tell(name: string, { to, reason, forMs }: Change): void {
    const [level, message] = LINES[to];
    this.#logger[level](message, {
      route: this.#route,
      target: name === "" ? undefined : name,
      reason: reason ?? undefined,
      forMs,
    });
  }

  /** Whether there are probes may change: what is due until now is settled as it was before. */
  #change(change: () => void): void {
    for (const target of this.#targets) void target.state;
    change();
    for (const target of this.#targets) target.updated();
  }
}

/** How each change is told. */
const LINES: Readonly<Record<Change["to"], readonly ["info" | "warn", string]>> = {
  up: ["info", "a target has its full share again"],
  returning: ["info", "a target comes back"],
  ejected: ["warn", "a target is left alone"],
  down: ["warn", "a target is down"],
  pausing: ["info", "a target asked to be left alone"],
  "breaker-open": ["warn", "a target gets no calls until one is answered"],
  "breaker-closed": ["info", "a target gets calls again"],
};
