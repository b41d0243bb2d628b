/**
 * A balancer over servers that a test scripts, with health that the test decides on.
 *
 * @module
 */

import { assertRejects } from "@std/assert";
import {
  Balancer,
  type FleetHealth,
  type HealthListener,
  type HealthTold,
  type Outcome,
  type TargetHealth,
  type TargetSpec,
  type TargetState,
} from "../balance/mod.ts";
import type { BalanceConfig } from "../config/mod.ts";
import { ProxyError } from "../errors.ts";
import { Fields, NEVER_ABORTED } from "../http/mod.ts";
import type { UpstreamCall } from "../upstream/mod.ts";
import { ManualClock } from "./manual_clock.ts";
import { FakeServer } from "./share.ts";

/** Health as the test wants it, and what it was told. */
export class FakeHealth implements TargetHealth {
  state: TargetState = "up";
  isAvailable = true;
  share = 1;
  /** What `admit` answers. */
  waitMs = 0;
  /** Calls that were admitted and of which nothing was told yet. */
  admitted = 0;
  readonly outcomes: Outcome[] = [];
  forgotten = 0;
  removed = false;
  readonly #listener: HealthListener;

  /** Of a target whose listener is told when it goes down. */
  constructor(listener: HealthListener) {
    this.#listener = listener;
  }

  admit(): number {
    if (this.waitMs === 0) this.admitted++;
    return this.waitMs;
  }

  record(outcome: Outcome): void {
    this.admitted--;
    this.outcomes.push(outcome);
  }

  forget(): void {
    this.admitted--;
    this.forgotten++;
  }

  probed(): void {}

  told(): HealthTold {
    const reason = this.state === "up" ? null : "the test wants it";
    return {
      state: this.state,
      reason,
      forMs: 0,
      pausedForMs: 0,
      failuresInRow: 0,
      ejections: 0,
      breaker: this.waitMs === 0 ? "closed" : "open",
      medianMs: null,
      probe: null,
    };
  }

  remove(): void {
    this.removed = true;
  }

  /** It is ejected from now on. */
  eject(): void {
    this.state = "ejected";
    this.isAvailable = false;
  }

  /** It is down from now on. */
  goDown(): void {
    this.state = "down";
    this.isAvailable = false;
    this.#listener.down();
  }

  /** A call has failed. */
  doubt(): void {
    this.#listener.doubted();
  }
}

/** One target under test. */
export interface FakeTarget {
  readonly server: FakeServer;
  readonly health: FakeHealth;
}

/** A balancer and its targets. */
export interface BalanceUnderTest {
  readonly balancer: Balancer;
  readonly clock: ManualClock;
  /** The targets that there ever were, by name; of one that was replaced the newest. */
  readonly at: Readonly<Record<string, FakeTarget>>;
  /** A target for `update`; a place of its own makes it another one. */
  spec(name: string, weight?: number, place?: string): TargetSpec;
}

/** The settings of a balancer where a test says nothing else. */
export const BALANCE: BalanceConfig = {
  policy: "round-robin",
  retries: 2,
  retryBudgetPercent: 20,
  retryMinPerSecond: 10,
};

/** A balancer over targets with these names. */
export function balanceUnderTest(
  names: readonly string[],
  settings: Partial<BalanceConfig> = {},
): BalanceUnderTest {
  const clock = new ManualClock(1);
  const servers: Record<string, FakeServer> = {};
  const healths: Record<string, FakeHealth> = {};
  const at: Record<string, FakeTarget> = {};
  const fleet: FleetHealth = {
    add(name, listener) {
      const health = healths[name] = new FakeHealth(listener);
      at[name] = { server: servers[name]!, health };
      return health;
    },
  };
  const spec = (name: string, weight = 1, place = name): TargetSpec => ({
    name,
    weight,
    place,
    open() {
      const server = new FakeServer(clock);
      servers[name] = server;
      return server;
    },
  });
  const balancer = new Balancer(
    { route: "r", fleet, clock, closeAfterMs: 60_000 },
    { ...BALANCE, ...settings },
    names.map((name) => spec(name)),
  );
  return { balancer, clock, at, spec };
}

/** A call as a front makes it. */
export function balancedCall(more: Partial<UpstreamCall> = {}): UpstreamCall {
  return {
    headers: new Fields(),
    sessionId: undefined,
    principal: "p",
    query: "",
    signal: NEVER_ABORTED,
    ...more,
  };
}

/** A request with this method: its call and its body. */
export function asks(method: string, more: Partial<UpstreamCall> = {}): [UpstreamCall, Uint8Array] {
  const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id: 7, method }));
  return [balancedCall({ method, ...more }), body];
}

/** No connection to the server. */
export function refused(): ProxyError {
  const progress = { requestSent: false, answerBegun: false };
  return new ProxyError("upstream_unreachable", "refused", { progress });
}

/** The connection closed after the request was sent; with some of an answer, or none. */
export function closed(answerBegun = false): ProxyError {
  return new ProxyError("upstream_closed", "closed", {
    progress: { requestSent: true, answerBegun },
  });
}

/** The status of an answer. */
export async function statusOf(answer: Promise<{ status: number }>): Promise<number> {
  return (await answer).status;
}

/** The failure in place of an answer. */
export async function failureOf(answer: Promise<unknown>): Promise<ProxyError> {
  return await assertRejects(() => answer, ProxyError);
}

/** How many calls each target has seen. */
export function seen({ at }: BalanceUnderTest): Record<string, number> {
  return Object.fromEntries(
    Object.entries(at).map(([name, { server }]) => [name, server.calls.length]),
  );
}

/** Has a target fail each call with what `error` makes. */
export function failing({ at }: BalanceUnderTest, name: string, error: () => unknown): void {
  at[name]!.server.script = () => Promise.reject(error());
}
