/**
 * Which target a call goes to that belongs to none. Pure: randomness is given.
 *
 * @module
 */

import type { BalancePolicy } from "../config/mod.ts";

/** A target as far as choosing goes. */
export interface Choice {
  /** Its name: the same at every instance and after a restart. */
  readonly name: string;
  /** Its share of the calls beside the others' weights, above 0. */
  readonly weight: number;
  /** Answers that are not over yet. */
  readonly underWay: number;
}

/** A number from 0 to below 1 by chance. */
export type Random = () => number;

/** What of a call says where it belongs. */
export interface Keys {
  /** What it has in common with others that had better go to the same target. */
  readonly affinity?: string | undefined;
  /** Id of the principal who calls. */
  readonly principal: string;
}

/** Chooses one of at least one. */
export type Picker = <T extends Choice>(choices: readonly T[], keys: Keys) => T;

/** Makes a picker, which may remember what it has chosen. */
export const PICKERS: Readonly<Record<BalancePolicy, (random: Random) => Picker>> = {
  "round-robin": roundRobin,
  "least-connections": leastConnections,
  "random-two": (random) => (choices) => randomTwo(choices, random),
  "hash-session": (random) => (choices, { affinity }) =>
    affinity === undefined ? weighted(choices, random) : rendezvous(choices, affinity),
  "hash-principal": () => (choices, { principal }) => rendezvous(choices, principal),
};

/**
 * Each in turn, and the turns of a heavy one not in a row: nginx's smooth weighted round robin. Each pick adds
 * its weight to every one's credit and takes the sum of all from the one with the most, so that credits stay
 * below that sum, whoever is there to choose from. What is beyond it stems from other weights and is forgotten.
 */
function roundRobin(): Picker {
  const credits = new WeakMap<Choice, number>();
  return (choices) => {
    // Once for each: the weight of one that comes back grows from one look to the next.
    const weights = choices.map(({ weight }) => weight);
    const total = weights.reduce((sum, weight) => sum + weight);
    let most = -Infinity;
    let best = choices[0]!;
    for (const [at, choice] of choices.entries()) {
      const kept = Math.max(-total, Math.min(total, credits.get(choice) ?? 0));
      const credit = kept + weights[at]!;
      credits.set(choice, credit);
      if (credit > most) [best, most] = [choice, credit];
    }
    credits.set(best, most - total);
    return best;
  };
}

/** The one with the least under way for its weight; in turn where several have. */
function leastConnections(): Picker {
  const inTurn = roundRobin();
  return (choices, keys) => {
    // Once for each: the weight of one that comes back grows from one look to the next.
    const loads = choices.map(loadOf);
    const least = Math.min(...loads);
    return inTurn(choices.filter((_, at) => loads[at] === least), keys);
  };
}

/** The less loaded of two by chance: nearly as even as looking at all, and no herd runs to the emptiest. */
function randomTwo<T extends Choice>(choices: readonly T[], random: Random): T {
  const one = weighted(choices, random);
  if (choices.length === 1) return one;
  const other = weighted(choices, random, one);
  return loadOf(other) < loadOf(one) ? other : one;
}

function loadOf({ underWay, weight }: Choice): number {
  return underWay / weight;
}

/** One by chance, as likely as its weight says; not `except`, which must not be the only one. */
function weighted<T extends Choice>(choices: readonly T[], random: Random, except?: T): T {
  let total = 0;
  for (const choice of choices) if (choice !== except) total += choice.weight;
  let left = random() * total;
  let last: T | undefined;
  for (const choice of choices) {
    if (choice === except) continue;
    last = choice;
    left -= choice.weight;
    if (left < 0) break;
  }
  return last!;
}

/**
 * The one with the highest score for the key, -weight / ln(u) with u from the key and the name: one that goes
 * or comes moves only its own keys, and each gets as many as its weight says (weighted rendezvous hashing).
 */
function rendezvous<T extends Choice>(choices: readonly T[], key: string): T {
  let best = choices[0]!;
  let most = -Infinity;
  for (const choice of choices) {
    const score = -choice.weight / Math.log(fractionOf(`${choice.name} ${key}`));
    if (score > most) [best, most] = [choice, score];
  }
  return best;
}

/** A number between 0 and 1, neither of them, that looks like chance and is the same for the same text. */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5;
  // FNV-1a, whose last characters do not reach the high bits; the finalizer of MurmurHash3 sees to that.
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 4_294_967_296;
}
