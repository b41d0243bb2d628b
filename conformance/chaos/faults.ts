/**
 * What happens to targets, when, and for how long, as a seed decides.
 *
 * @module
 */

import { pause } from "./clients/mod.ts";
import type { Random } from "./random.ts";
import type { Target } from "./target.ts";

/** What can happen to a target. */
export const FAULTS = ["kill", "hang", "slow", "restart", "reset", "refuse"] as const;

/** One of them. */
export type FaultKind = typeof FAULTS[number];

/** Something that happened to a target, in milliseconds of `performance.now()`. */
export interface Fault {
  readonly target: string;
  readonly kind: FaultKind;
  readonly fromMs: number;
  /** When it was over: the target serves again, as it did before. */
  untilMs: number;
}

/** When faults begin. */
export interface FaultPlan {
  /** Shortest and longest time between the beginnings of two faults, in milliseconds. */
  readonly everyMs: readonly [number, number];
  /** Shortest and longest time that a target is left in peace behind a fault, in milliseconds. */
  readonly restMs: readonly [number, number];
  readonly disturbed: Disturbed;
  readonly kinds: readonly FaultKind[];
}

/** Who is disturbed now, so that never all are: by a fault, or because a config leaves them out. */
export class Disturbed {
  readonly #names = new Set<string>();
  readonly #restingUntilMs = new Map<string, number>();

  /** @param most how many may be at one time */
  constructor(readonly most: number) {}

  /** Whether this one may be disturbed now; it is then, until `release`. */
  take(name: string): boolean {
    if (this.#names.size >= this.most || this.#names.has(name)) return false;
    if ((this.#restingUntilMs.get(name) ?? 0) > performance.now()) return false;
    this.#names.add(name);
    return true;
  }

  /** It is well again, and is left in peace for a while. */
  release(name: string, restMs: number): void {
    this.#names.delete(name);
    this.#restingUntilMs.set(name, performance.now() + restMs);
  }
}

type Play = (target: Target, random: Random, calm: AbortSignal) => Promise<void>;

/** How each of them is done. A run that ends does not wait for them: they are undone at once. */
const PLAYS: Readonly<Record<FaultKind, Play>> = {
  kill: async (target, random, calm) => {
    await target.kill();
    await pause(random.between(200, 2_000), calm);
    await target.start();
  },
  restart: async (target, random, calm) => {
    await target.stop();
    await pause(random.between(0, 500), calm);
    await target.start();
  },
  hang: async (target, random, calm) => {
    target.signal("SIGSTOP");
    await pause(random.between(500, 4_000), calm);
    target.signal("SIGCONT");
  },
  slow: async (target, random, calm) => {
    const [low, high] = [50, random.between(100, 800)];
    target.relay.delayMs = () => random.between(low, high);
    await pause(random.between(1_000, 5_000), calm);
    target.relay.delayMs = () => 0;
  },
  reset: async (target) => {
    target.relay.reset();
    await Promise.resolve();
  },
  refuse: async (target, random, calm) => {
    target.relay.refuse();
    target.relay.reset();
    await pause(random.between(200, 1_500), calm);
    await target.relay.accept();
  },
};

/** Disturbs targets until it is calm; resolves when the last fault is over. */
export async function disturb(
  targets: readonly Target[],
  plan: FaultPlan,
  random: Random,
  calm: AbortSignal,
): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  const underWay = new Set<Promise<void>>();
  let failure: unknown;
  const begin = async (target: Target, kind: FaultKind, own: Random) => {
    const fault: Fault = {
      target: target.name,
      kind,
      fromMs: performance.now(),
      untilMs: Infinity,
    };
    faults.push(fault);
    await PLAYS[kind](target, own, calm);
    fault.untilMs = performance.now();
    plan.disturbed.release(target.name, own.between(...plan.restMs));
  };
  while (!calm.aborted && failure === undefined) {
    await pause(random.between(...plan.everyMs), calm);
    const kind = random.pick(plan.kinds);
    const own = random.fork();
    const first = own.whole(0, targets.length - 1);
    const inTurn = [...targets.slice(first), ...targets.slice(0, first)];
    const target = calm.aborted ? undefined : inTurn.find(({ name }) => plan.disturbed.take(name));
    if (target === undefined) continue;
    const playing = begin(target, kind, own)
      .catch((error) => void (failure = error))
      .finally(() => underWay.delete(playing));
    underWay.add(playing);
  }
  await Promise.all(underWay);
  if (failure !== undefined) throw failure;
  return faults;
}
