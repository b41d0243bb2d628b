/**
 * Which of the targets a call goes to that belongs to none: by the policy among those that are well, and
 * rather to one that is not than to nobody.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { BalancePolicy } from "../config/mod.ts";
import { type Keys, type Picker, PICKERS, type Random } from "./policies.ts";
import type { Target } from "./target.ts";

/** A target whose breaker lets the call through, or for how long none of them does, in milliseconds. */
export type Chosen =
  | { readonly target: Target; readonly waitMs?: undefined }
  | { readonly target?: undefined; readonly waitMs: number };

/** Which targets are asked first, second and last. */
const RANKS: readonly ((target: Target) => boolean)[] = [
  ({ health }) => health.isAvailable,
  ({ isDown }) => !isDown,
  () => true,
];

/** Chooses by a policy. */
export class Choosing {
  readonly #random: Random;
  #policy: BalancePolicy;
  #pick: Picker;

  /** By this policy. */
  constructor(policy: BalancePolicy, clock: Clock) {
    const word = () => new DataView(clock.randomBytes(4).buffer).getUint32(0);
    this.#random = () => word() / 4_294_967_296;
    this.#policy = policy;
    this.#pick = PICKERS[policy](this.#random);
  }

  /** By another policy from now on; what the old one remembers is kept where it is the same. */
  change(policy: BalancePolicy): void {
    if (policy === this.#policy) return;
    this.#policy = policy;
    this.#pick = PICKERS[policy](this.#random);
  }

  /**
   * Chooses one that was not tried yet; its health has admitted the call then. Those that are well come first,
   * then those that are ejected or asked to be left alone, then those that are down; those that are drained only
   * where all are.
   */
  choose(targets: readonly Target[], keys: Keys, tried?: ReadonlySet<Target>): Chosen {
    let left = remaining(targets, tried);
    let waitMs = Infinity;
    for (const isOfRank of RANKS) {
      const chosen = this.#admitted(left.filter(isOfRank), keys);
      if (chosen.target !== undefined) return chosen;
      waitMs = Math.min(waitMs, chosen.waitMs);
      left = left.filter((target) => !isOfRank(target));
      if (left.length === 0) break;
    }
    return { waitMs };
  }

  #admitted(from: readonly Target[], keys: Keys): Chosen {
    let waitMs = Infinity;
    for (let choices = from; choices.length > 0;) {
      const target = choices.length === 1 ? choices[0]! : this.#pick(choices, keys);
      const thisMs = target.health.admit();
      if (thisMs === 0) return { target };
      waitMs = Math.min(waitMs, thisMs);
      choices = choices.filter((other) => other !== target);
    }
    return { waitMs };
  }
}

/** Those that a call may still be sent to at all. */
export function remaining(
  targets: readonly Target[],
  tried: ReadonlySet<Target> | undefined,
): readonly Target[] {
  const isDrained = targets.every(({ draining }) => draining);
  return targets.filter((target) => (isDrained || !target.draining) && tried?.has(target) !== true);
}
