/**
 * Any sequence of calls, probes, pauses and times, against what holds of a fleet whatever happens.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { HealthConfig } from "../config/mod.ts";
import * as balanceHealth from "../testing/balance_health.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { fleetHealth } from "./fleet.ts";
import type { Failure, TargetHealth, TargetState } from "./health.ts";

const FAILURES: readonly Failure[] = ["unreachable", "connect_timeout", "broken", "timeout"];
const NAMES = ["a", "b", "c"];

type Step =
  | { readonly do: "begin" | "good" | "bad" | "remove"; readonly target: number }
  | {
    readonly do: "end";
    readonly call: number;
    readonly as: Failure | number | "forget";
    readonly retryAfterMs: number;
  }
  | { readonly do: "serve"; readonly target: number; readonly headMs: number }
  | { readonly do: "fail"; readonly target: number; readonly as: Failure | number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "update"; readonly settings: HealthConfig };

interface Call {
  readonly target: Modelled;
  readonly startedMs: number;
  /** Whether it went through a breaker that was half-open, and has not closed since. */
  isTrial: boolean;
}

interface Modelled {
  readonly health: TargetHealth;
  readonly name: string;
  state: TargetState;
  downs: number;
}

const target = fc.nat({ max: NAMES.length - 1 });
const ending = fc.constantFrom<Failure | number>(...FAILURES, 200, 404, 429, 500, 503);
const settings: fc.Arbitrary<HealthConfig> = fc.record({
  probe: fc.constantFrom("off", "auto"),
  intervalMs: fc.constant(1_000),
  timeoutMs: fc.constant(200),
  unhealthyAfter: fc.integer({ min: 1, max: 3 }),
  healthyAfter: fc.integer({ min: 1, max: 3 }),
  maxFailures: fc.nat({ max: 3 }),
  slowFactor: fc.nat({ max: 3 }),
  slowMinMs: fc.constantFrom(0, 50),
  ejectMs: fc.integer({ min: 1, max: 500 }),
  maxEjectMs: fc.integer({ min: 500, max: 2_000 }),
  slowStartMs: fc.constantFrom(0, 1, 700),
  breakerTimeouts: fc.nat({ max: 3 }),
  breakerMs: fc.integer({ min: 1, max: 300 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("begin" as const), target }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      call: fc.nat(),
      as: fc.oneof(ending, fc.constant("forget" as const)),
      retryAfterMs: fc.constantFrom(0, 0, 300, 1e9),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("fail" as const), target, as: ending }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("serve" as const),
      target,
      headMs: fc.constantFrom(1, 60, 900),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("good", "bad"), target }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(400) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(9_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("update" as const), settings }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), target }) },
);

class Model {
  readonly clock: ManualClock;
  readonly #fleet: ReturnType<typeof fleetHealth>;
  readonly #calls: Call[] = [];
  readonly #targets: Modelled[];
  #settings: HealthConfig;
  /** The longest that an ejection under way may be: settings may have been larger when it began. */
  #maxEjectMs = 2_000;

  constructor(settings: HealthConfig, seed: number) {
    this.clock = new ManualClock(seed);
    this.#settings = settings;
    this.#fleet = fleetHealth(settings, this.clock);
    this.#targets = NAMES.map((name) => this.#add(name));
  }

  #add(name: string): Modelled {
    const down = () => void modelled.downs++;
    const modelled: Modelled = {
      health: this.#fleet.add(name, { down, doubted: () => {} }),
      name,
      state: "up",
      downs: 0,
    };
    return modelled;
  }

  take(step: Step): void {
    const at = "target" in step ? this.#targets[step.target]! : undefined;
    if (step.do === "wait") this.clock.advance(step.ms);
    else if (step.do === "update") this.#fleet.update(this.#settings = step.settings);
    else if (step.do === "begin") this.#begin(at!);
    else if (step.do === "end") this.#end(step);
    else if (step.do === "serve") {
      for (let call = 0; call < 20; call++) {
        at!.health.record(balanceHealth.answered(200, step.headMs));
      }
    } else if (step.do === "fail") this.#record(at!, step.as, this.clock.monotonicMs(), 0);
    else if (step.do === "remove") this.#replace(step.target);
    else at!.health.probed(step.do === "good");
    this.check(step, at);
  }

  /** A target of the same name in place of one that was removed, whose calls may still end. */
  #replace(index: number): void {
    const old = this.#targets[index]!;
    old.health.remove();
    this.#targets[index] = this.#add(old.name);
  }

  #begin(target: Modelled): void {
    const { breaker } = target.health.told();
    const waitMs = target.health.admit();
    assert(Number.isFinite(waitMs) && waitMs >= 0, `admit() gave ${waitMs}`);
    if (breaker === "closed") assertEquals(waitMs, 0);
    if (breaker === "open") assert(waitMs > 0, "an open breaker admits nothing");
    const trials = this.#calls.filter((call) => call.target === target && call.isTrial);
    if (breaker === "half-open") {
      assertEquals(waitMs === 0, trials.length === 0, "one trial at a time, and always one");
    }
    if (waitMs > 0) return;
    const isTrial = breaker === "half-open";
    this.#calls.push({ target, startedMs: this.clock.monotonicMs(), isTrial });
  }

  #end({ call, as, retryAfterMs }: Step & { do: "end" }): void {
    if (this.#calls.length === 0) return;
    const [ended] = this.#calls.splice(call % this.#calls.length, 1);
    const { target, startedMs } = ended!;
    if (as === "forget") target.health.forget(this.clock.monotonicMs() - startedMs);
    else this.#record(target, as, startedMs, retryAfterMs);
  }

  #record(
    { health }: Modelled,
    as: Failure | number,
    startedMs: number,
    retryAfterMs: number,
  ): void {
    const agoMs = this.clock.monotonicMs() - startedMs;
    if (typeof as === "string") return health.record({ kind: as, agoMs });
    health.record(balanceHealth.answered(as, agoMs, retryAfterMs));
  }

  check(step: Step, at: Modelled | undefined): void {
    for (const target of this.#targets) this.#checkTarget(target, step, at);
    const states = this.#targets.map(({ state }) => state);
    const isTaken = states.some((state) => state === "up" || state === "returning");
    assert(isTaken || states.every((state) => state === "down"), `all at once: ${states}`);
    assertEquals(this.clock.timers, 0);
  }

  #checkTarget(target: Modelled, step: Step, at: Modelled | undefined): void {
    const { health } = target;
    const { forMs, state, breaker, reason } = health.told();
    const { share } = health;
    assert(share > 0 && share <= 1, `a share of ${share}`);
    if (state === "up") assertEquals([share, reason], [1, null]);
    if (state === "returning") assert(forMs <= this.#settings.slowStartMs, `returning ${forMs}`);
    if (state === "ejected") assert(forMs <= this.#maxEjectMs, `ejected for ${forMs}`);
    if (health.isAvailable) assert(state === "up" || state === "returning");
    const before = target.state;
    target.state = state;
    if (breaker === "closed") {
      for (const call of this.#calls) if (call.target === target) call.isTrial = false;
    }
    const hasGone = before !== state && state === "down";
    assertEquals(target.downs, hasGone ? 1 : 0, "each time it goes down is told once");
    target.downs = 0;
    if (!hasGone) return;
    const isTold = step.do === "end" || (step.do === "fail" && at === target);
    const isProbe = step.do === "bad" && at === target;
    assert(isProbe || (isTold && step.as === "unreachable"), `down by ${JSON.stringify(step)}`);
  }

  /** Whatever was, a breaker comes to let a call through, and the next when that one is forgotten. */
  finish(): void {
    for (const { target, startedMs } of this.#calls.splice(0)) {
      target.health.forget(this.clock.monotonicMs() - startedMs);
    }
    this.clock.advance(this.#maxEjectMs);
    for (const { health } of this.#targets) {
      for (const _ of [1, 2, 3]) {
        assertEquals(health.admit(), 0);
        health.forget();
      }
    }
  }
}

Deno.test("R65 whatever becomes of calls and probes: never all ejected, down only by the truth, and no call waits for ever", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(settings, fc.nat(), fc.array(step, { maxLength: 120 }), (settings, seed, steps) => {
      const model = new Model(settings, seed);
      for (const step of steps) model.take(step);
      model.finish();
      for (const { do: done } of steps) seen.add(done);
    }),
    { numRuns: 3_000 },
  );
  assertEquals(seen.size, 9);
});
