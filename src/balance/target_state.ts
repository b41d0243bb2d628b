/**
 * The health of one target: what its calls and probes say of it, and what follows.
 *
 * No timer runs here. What comes by itself with time is found when somebody looks, and counts from when it was
 * due.
 *
 * @module
 */

import type { Fleet } from "./beside.ts";
import { Breaker } from "./breaker.ts";
import { EjectionTimes } from "./ejection.ts";
import type {
  Failure,
  HealthListener,
  HealthTold,
  Outcome,
  TargetHealth,
  TargetState,
} from "./health.ts";
import { FailedCalls, inRow, Probes, REASONS } from "./in_row.ts";
import { Latencies } from "./latency.ts";
import { isFailure } from "./outcomes.ts";

/** The part of its weight with which a target comes back. */
export const FIRST_SHARE = 0.1;

/** One target. */
export class WatchedTarget implements TargetHealth {
  /** Its name; empty where it is the only one and has none. */
  readonly name: string;
  readonly #fleet: Fleet;
  readonly #listener: HealthListener;
  readonly #breaker: Breaker;
  readonly #times: EjectionTimes;
  readonly #latencies = new Latencies();
  #state: TargetState = "up";
  #sinceMs: number;
  #reason: string | null = null;
  /** When its ejection is over. */
  #untilMs = 0;
  /** When it came back last: calls from before say nothing bad of it now. */
  #backMs = -Infinity;
  #pauseUntilMs = -Infinity;
  readonly #failures = new FailedCalls();
  readonly #probes = new Probes();
  #ejections = 0;
  #isRemoved = false;

  /** A healthy one. */
  constructor(name: string, listener: HealthListener, fleet: Fleet) {
    this.name = name;
    this.#listener = listener;
    this.#fleet = fleet;
    this.#breaker = new Breaker(fleet.settings);
    this.#times = new EjectionTimes(fleet.clock);
    this.#sinceMs = fleet.clock.monotonicMs();
  }

  /** See `TargetHealth`. */
  get state(): TargetState {
    this.#settle();
    return this.#state;
  }

  /** See `TargetHealth`. */
  get isAvailable(): boolean {
    const nowMs = this.#settle();
    return isTaking(this.#state) && nowMs >= this.#pauseUntilMs;
  }

  /** See `TargetHealth`. */
  get share(): number {
    const nowMs = this.#settle();
    if (this.#state === "up") return 1;
    if (this.#state !== "returning") return FIRST_SHARE;
    const grown = (nowMs - this.#sinceMs) / this.#fleet.settings.slowStartMs;
    return Math.min(1, FIRST_SHARE + (1 - FIRST_SHARE) * grown);
  }

  /** The median of its times to answer, in milliseconds; null where there are too few. */
  get medianMs(): number | null {
    return this.#latencies.medianMs;
  }

  /** When its ejection is over, on the clock's monotonic scale. */
  get untilMs(): number {
    return this.#untilMs;
  }

  /** See `TargetHealth`. */
  admit(nowMs?: number): number {
    return this.#breaker.admit(this.#settle(nowMs));
  }

  /** See `TargetHealth`. */
  record(outcome: Outcome, atMs?: number): void {
    const nowMs = this.#settle(atMs);
    const answered = outcome.kind === "answered";
    const startedMs = nowMs - (answered ? outcome.headMs : outcome.agoMs ?? 0);
    const ending = answered ? "answered" : isLate(outcome.kind) ? "late" : "failed";
    this.#tellBreaker(this.#breaker.record({ ending, startedMs, nowMs }));
    if (!answered) return this.#failed(outcome.kind, startedMs);
    this.#pause(outcome, nowMs);
    if (isFailure(outcome)) return this.#failed("answered", startedMs);
    this.#succeeded(startedMs);
    this.#measure(outcome.headMs, startedMs);
  }

  /** See `TargetHealth`. */
  forget(agoMs = 0): void {
    this.#breaker.forget(this.#fleet.clock.monotonicMs() - agoMs);
  }

  /** See `TargetHealth`. */
  probed(ok: boolean, why = "failed"): void {
    const atMs = this.#settle();
    this.#probes.add(ok, atMs);
    const { good, bad } = this.#probes;
    const { healthyAfter, unhealthyAfter } = this.#fleet.settings;
    const isDown = this.#state === "down";
    if (isDown && good >= healthyAfter) {
      this.#failures.clear();
      this.comeBack(inRow(good, "good probe"));
    } else if (!isDown && bad >= unhealthyAfter) {
      this.#leave("down", `${inRow(bad, "failed probe")}: ${why}`);
    }
  }

  /** See `TargetHealth`. */
  told(): HealthTold {
    const nowMs = this.#settle();
    const { medianMs } = this.#latencies;
    return {
      state: this.#state,
      reason: this.#reason,
      forMs: Math.round(nowMs - this.#sinceMs),
      pausedForMs: Math.max(0, Math.round(this.#pauseUntilMs - nowMs)),
      failuresInRow: this.#failures.count,
      ejections: this.#ejections,
      breaker: this.#breaker.state(nowMs),
      medianMs: medianMs === null ? null : Math.round(medianMs * 1_000) / 1_000,
      probe: this.#probes.told(nowMs),
    };
  }

  /** See `TargetHealth`. */
  remove(): void {
    this.#isRemoved = true;
    this.#fleet.lost();
  }

  /** Whether it was removed. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** The fleet has other settings, or another size. */
  updated(): void {
    const nowMs = this.#fleet.clock.monotonicMs();
    this.#breaker.update(this.#fleet.settings);
    // Where probes were to bring it back, its time may have run out long ago: it comes back from now on.
    if (this.#state === "down") this.#untilMs = Math.max(this.#untilMs, nowMs);
  }

  /** It gets calls again, `sinceMs` on the clock's monotonic scale or from now on. */
  comeBack(reason: string, sinceMs = this.#fleet.clock.monotonicMs()): void {
    this.#backMs = sinceMs;
    this.#breaker.retryNow(sinceMs);
    this.#enter("returning", reason, sinceMs);
  }

  /** Brings it to where it is by now; gives the time. */
  #settle(nowMs = this.#fleet.clock.monotonicMs()): number {
    const state = this.#state;
    if (state === "up") return nowMs;
    const { isProbed, settings: { slowStartMs } } = this.#fleet;
    const comesByTime = state === "ejected" || (state === "down" && !isProbed);
    if (comesByTime && nowMs >= this.#untilMs) this.comeBack("its time is over", this.#untilMs);
    const fullMs = this.#sinceMs + slowStartMs;
    if (this.#state === "returning" && nowMs >= fullMs) {
      this.#times.calm(fullMs);
      this.#enter("up", null, fullMs);
    }
    return nowMs;
  }

  #enter(state: TargetState, reason: string | null, sinceMs: number, forMs?: number): void {
    this.#state = state;
    this.#reason = reason;
    this.#sinceMs = sinceMs;
    if (this.#isRemoved) return;
    this.#fleet.tell(this.name, { to: state, reason, ...(forMs !== undefined && { forMs }) });
  }

  /** It is left alone, or told to be down. */
  #leave(state: "ejected" | "down", reason: string): void {
    const { settings, clock, isProbed } = this.#fleet;
    const nowMs = clock.monotonicMs();
    if (isTaking(this.#state)) {
      this.#ejections++;
      this.#times.next(settings);
    }
    const forMs = this.#times.latestMs;
    this.#untilMs = nowMs + forMs;
    this.#latencies.clear();
    this.#probes.clearGood();
    this.#enter(state, reason, nowMs, state === "down" && isProbed ? undefined : Math.round(forMs));
    if (state === "ejected" || this.#isRemoved) return;
    this.#fleet.lost();
    this.#listener.down();
  }

  #failed(how: Failure | "answered", startedMs: number): void {
    if (startedMs < this.#backMs) return;
    this.#failures.add(how);
    if (isTaking(this.#state)) this.#listener.doubted();
    const { count, unreachable } = this.#failures;
    const { maxFailures } = this.#fleet.settings;
    if (maxFailures === 0 || this.#state === "down") return;
    if (unreachable >= maxFailures) {
      return this.#leave("down", `${inRow(unreachable, "call")} without a connection`);
    }
    if (!isTaking(this.#state)) return;
    // Who has just come back and fails at once was not well.
    const most = this.#state === "returning" ? 1 : maxFailures;
    if (count < most || !this.#fleet.hasOther(this)) return;
    this.#leave("ejected", `${inRow(count, "failed call")}: ${REASONS[how]}`);
  }

  #succeeded(startedMs: number): void {
    this.#failures.clear();
    // An answer to a call from before it was down may have been on its way for long.
    if (this.#state !== "down" || startedMs < this.#sinceMs) return;
    // Probes have to fail anew before it is down again, or the two would take turns.
    this.#probes.clearBad();
    this.comeBack("it has answered a call");
  }

  #measure(headMs: number, startedMs: number): void {
    if (!isTaking(this.#state) || startedMs < this.#backMs) return;
    if (!this.#latencies.add(headMs)) return;
    const { slowFactor, slowMinMs } = this.#fleet.settings;
    const ownMs = this.#latencies.medianMs;
    if (slowFactor === 0 || ownMs === null || ownMs <= slowMinMs) return;
    const othersMs = this.#fleet.medianBeside(this);
    if (othersMs === null || ownMs <= slowFactor * othersMs) return;
    if (!this.#fleet.hasOther(this)) return;
    const beside = `${Math.round(ownMs)} ms to answer, the others ${Math.round(othersMs)} ms`;
    this.#leave("ejected", `slow: ${beside}`);
  }

  /** 429 and 503 may say when to come back (RFC 9110 section 10.2.3, RFC 6585 section 4). */
  #pause(outcome: Outcome & { kind: "answered" }, nowMs: number): void {
    const { status, retryAfterMs = 0 } = outcome;
    if ((status !== 429 && status !== 503) || retryAfterMs <= 0) return;
    const isNew = nowMs >= this.#pauseUntilMs;
    const forMs = Math.min(retryAfterMs, this.#fleet.settings.maxEjectMs);
    this.#pauseUntilMs = Math.max(this.#pauseUntilMs, nowMs + forMs);
    if (!isNew || this.#isRemoved) return;
    this.#fleet.tell(this.name, { to: "pausing", reason: `it answered ${status}`, forMs });
  }

  #tellBreaker(change: "opened" | "closed" | undefined): void {
    if (change === undefined || this.#isRemoved) return;
    this.#fleet.tell(
      this.name,
      change === "opened"
        ? { to: "breaker-open", reason: REASONS.timeout }
        : { to: "breaker-closed", reason: "it has answered a call" },
    );
  }
}

function isTaking(state: TargetState): boolean {
  return state === "up" || state === "returning";
}

function isLate(kind: Failure): boolean {
  return kind === "timeout" || kind === "connect_timeout";
}
