/**
 * The config of the proxy in a chaos test, and how it changes.
 *
 * @module
 */

import { MODERN_PATH, SESSION_PATH } from "./clients/mod.ts";
import type { Random } from "./random.ts";

/** A target as a config names it. */
export interface Place {
  readonly name: string;
  readonly port: number;
}

/** What a change can choose. */
export interface Choice {
  readonly weights: readonly number[];
  readonly policy: string;
  readonly intervalMs: number;
  readonly hasInterceptor: boolean;
  /** The target that is left out; undefined for none. */
  readonly without: number | undefined;
}

/** What a run begins with. */
export const FIRST_CHOICE: Choice = {
  weights: [1, 1, 1],
  policy: "random-two",
  intervalMs: 500,
  hasInterceptor: false,
  without: undefined,
};

/** An interceptor that changes nothing. */
const UNNOTICED = { use: "rate_limit", options: { burst: 1_000_000, perSecond: 1_000_000 } };

/** How likely it is that a target is removed. */
const REMOVALS = 0.3;

const POLICIES = [
  "round-robin",
  "least-connections",
  "random-two",
  "hash-session",
  "hash-principal",
];

/** What no change changes. */
export interface Fixed {
  /** One alone is named by its `url`. */
  readonly targets: readonly Place[];
  /** Port of the admin address. */
  readonly admin: number;
  /** Longest wait for the head of an answer, in milliseconds. */
  readonly headersTimeoutMs: number;
}

/** A config with a choice. */
export function configWith({ targets, admin, headersTimeoutMs }: Fixed, choice: Choice): string {
  const single = targets.length === 1;
  const upstream = (path: string) => ({
    ...(single ? { url: `http://127.0.0.1:${targets[0]!.port}${path}` } : {
      targets: targets.map(({ name, port }, at) => ({
        name,
        url: `http://127.0.0.1:${port}${path}`,
        weight: choice.weights[at] ?? 1,
      })).filter((_, at) => at !== choice.without),
      balance: { policy: choice.policy },
      health: {
        intervalMs: choice.intervalMs,
        timeoutMs: 1_500,
        unhealthyAfter: 2,
        healthyAfter: 1,
        ejectMs: 1_000,
        maxEjectMs: 5_000,
        slowStartMs: 2_000,
      },
    }),
    headersTimeoutMs,
    connectTimeoutMs: 2_000,
    reconnect: { attempts: 20, initialDelayMs: 20, maxDelayMs: 500 },
  });
  const interceptors = choice.hasInterceptor ? [UNNOTICED] : [];
  return JSON.stringify({
    listen: "127.0.0.1:0",
    admin: `127.0.0.1:${admin}`,
    logLevel: "info",
    drainTimeoutMs: 1_000,
    routes: [SESSION_PATH, MODERN_PATH].map((path) => ({
      path,
      upstream: upstream(path),
      interceptors,
    })),
  });
}

/**
 * Another choice, which differs from the one before in one thing.
 *
 * @param mayGo asked whether a target may be left out
 */
export function changed(
  before: Choice,
  random: Random,
  mayGo: (target: number) => boolean,
): Choice {
  // A target that was removed is added back soon: the others must not be alone with the faults.
  if (before.without !== undefined) return { ...before, without: undefined };
  const target = random.whole(0, before.weights.length - 1);
  if (random.chance(REMOVALS) && mayGo(target)) return { ...before, without: target };
  const changes: readonly (() => Partial<Choice>)[] = [
    () => ({ weights: otherWeights(before.weights, random) }),
    () => ({ policy: random.pick(POLICIES.filter((policy) => policy !== before.policy)) }),
    () => ({ intervalMs: before.intervalMs === 500 ? 700 : 500 }),
    () => ({ hasInterceptor: !before.hasInterceptor }),
  ];
  return { ...before, ...random.pick(changes)() };
}

/** The text of a file that is like no other, whatever it says: a proxy passes over a file that is as it was. */
export function numbered(config: string, at: number): string {
  return `// ${at}\n${config}`;
}

/** Not all of them as they were, for that would be no change. */
function otherWeights(before: readonly number[], random: Random): readonly number[] {
  const weights = before.map(() => random.whole(1, 5));
  if (weights.some((weight, at) => weight !== before[at])) return weights;
  return weights.map((weight) => weight % 5 + 1);
}

/** A text that no proxy can take for a config. */
export function broken(config: string, random: Random): string {
  return random.pick([
    config.slice(0, config.length >> 1),
    config.replace('"routes"', '"rotues"'),
    config.replace(/"weight":\d+/, '"weight":-1'),
    config.replace(/"policy":"[^"]*"/, '"policy":"best"'),
  ]);
}
