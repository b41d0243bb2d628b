import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { BalancePolicy } from "../config/mod.ts";
import { seededRandom } from "../http1/fuzz_cases.ts";
import { type Choice, type Keys, PICKERS } from "./policies.ts";

const KEYS: Keys = { principal: "p" };

/** Targets `a`, `b` and so on with these weights. */
function targets(weights: readonly number[], underWay: readonly number[] = []) {
  return weights.map((weight, at) => ({
    name: String.fromCharCode(97 + at),
    weight,
    underWay: underWay[at] ?? 0,
  }));
}

function picker(policy: BalancePolicy, seed = 1) {
  return PICKERS[policy](seededRandom(seed));
}

/** How often each was chosen, by name. */
function counted(
  choices: readonly Choice[],
  picks: number,
  pick: (at: number) => Choice,
): Record<string, number> {
  const counts = Object.fromEntries(choices.map(({ name }) => [name, 0]));
  for (let at = 0; at < picks; at++) counts[pick(at).name]!++;
  return counts;
}

const weightsOf = (max: number) =>
  fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: max });

Deno.test("round-robin gives each as many turns as it weighs, in every round", () => {
  fc.assert(fc.property(weightsOf(6), fc.integer({ min: 1, max: 5 }), (weights, rounds) => {
    const choices = targets(weights);
    const pick = picker("round-robin");
    const round = weights.reduce((sum, weight) => sum + weight, 0);
    const counts = counted(choices, rounds * round, () => pick(choices, KEYS));
    assertEquals(Object.values(counts), weights.map((weight) => weight * rounds));
  }));
});

Deno.test("round-robin does not give a heavy one its turns in a row", () => {
  const choices = targets([5, 1, 1]);
  const pick = picker("round-robin");
  const turns = Array.from({ length: 7 }, () => pick(choices, KEYS).name).join("");
  assertEquals(turns, "aabacaa");
});

Deno.test("round-robin stays fair among the others while one is away", () => {
  const choices = targets([1, 1, 1]);
  const pick = picker("round-robin");
  for (let at = 0; at < 5; at++) pick(choices, KEYS);
  const others = choices.slice(1);
  const counts = counted(choices, 1_000, () => pick(others, KEYS));
  assert(Math.abs(counts.b! - counts.c!) <= 2 && counts.a === 0, JSON.stringify(counts));
  // And it does not get the turns that it has missed when it is back.
  const back = counted(choices, 30, () => pick(choices, KEYS));
  assert(back.a! <= 12, JSON.stringify(back));
});

Deno.test("least-connections takes the one with the least under way for its weight", () => {
  const target = fc.record({
    weight: fc.integer({ min: 1, max: 9 }),
    underWay: fc.integer({ min: 0, max: 30 }),
  });
  fc.assert(fc.property(fc.array(target, { minLength: 1, maxLength: 6 }), (given) => {
    const choices = given.map((one, at) => ({ ...one, name: `${at}` }));
    const { underWay, weight } = picker("least-connections")(choices, KEYS);
    assert(choices.every((other) => underWay / weight <= other.underWay / other.weight));
  }));
});

Deno.test("least-connections chooses one while weights grow, as those of targets that come back do", () => {
  let looks = 0;
  const growing = targets([1, 1], [1, 1]).map(({ name, underWay }) => ({
    name,
    underWay,
    get weight() {
      return 1 + ++looks / 1_000;
    },
  }));
  const pick = picker("least-connections");
  for (let at = 0; at < 10; at++) assert(growing.includes(pick(growing, KEYS)));
});

Deno.test("least-connections gives those with equally little their turns", () => {
  const choices = targets([2, 1, 1], [0, 0, 7]);
  const pick = picker("least-connections");
  assertEquals(counted(choices, 300, () => pick(choices, KEYS)), { a: 200, b: 100, c: 0 });
});

Deno.test("random-two gives idle ones what they weigh, and never the most loaded of three", () => {
  const even = targets([3, 1]);
  const pick = picker("random-two");
  const counts = counted(even, 8_000, () => pick(even, KEYS));
  assert(counts.a! > 5_700 && counts.a! < 6_300, JSON.stringify(counts));
  const loaded = targets([1, 1, 1], [5, 1, 0]);
  const found = counted(loaded, 3_000, () => pick(loaded, KEYS));
  assert(found.a === 0 && found.c! > found.b! && found.b! > 800, JSON.stringify(found));
  assertEquals(pick(even.slice(1), KEYS), even[1]);
});

const HASHES: readonly [BalancePolicy, (key: string) => Keys][] = [
  ["hash-session", (affinity) => ({ affinity, principal: "p" })],
  ["hash-principal", (principal) => ({ principal, affinity: "s" })],
];

for (const [policy, keysOf] of HASHES) {
  const of = (choices: readonly Choice[], key: string, seed = 1) =>
    picker(policy, seed)(choices, keysOf(key));

  Deno.test(`${policy} finds the same one for a key, whatever the order and the instance`, () => {
    fc.assert(fc.property(weightsOf(8), fc.string(), (weights, key) => {
      const choices = targets(weights);
      assertEquals(of(choices, key), of(choices.toReversed(), key, 2));
    }));
  });

  Deno.test(`${policy} moves the keys of a lost target, and no others`, () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.nat(7), fc.string(), (count, lost, key) => {
        const choices = targets(Array.from({ length: count }, (_, at) => at + 1));
        const gone = choices[lost % count]!;
        const before = of(choices, key);
        const after = of(choices.filter((one) => one !== gone), key);
        if (before !== gone) assertEquals(after, before);
      }),
    );
  });

  Deno.test(`${policy} gives each as many keys as it weighs`, () => {
    const weights = [1, 2, 3, 4];
    const choices = targets(weights);
    for (const prefix of ["", "session-", "0123456789abcdef".repeat(4)]) {
      const counts = counted(choices, 10_000, (at) => of(choices, `${prefix}${at}`));
      Object.values(counts).forEach((count, at) => {
        const wanted = weights[at]! * 1_000;
        assert(Math.abs(count - wanted) < 200, `${prefix} ${JSON.stringify(counts)}`);
      });
    }
  });
}

Deno.test("hash-session goes by weight and chance where no session is known", () => {
  const choices = targets([3, 1]);
  const pick = picker("hash-session");
  const counts = counted(choices, 8_000, () => pick(choices, KEYS));
  assert(counts.a! > 5_700 && counts.a! < 6_300, JSON.stringify(counts));
});

Deno.test("random-two evens out what chance alone would not", () => {
  const choices = targets([1, 1, 1, 1]);
  const pick = picker("random-two");
  for (let at = 0; at < 4_000; at++) (pick(choices, KEYS) as { underWay: number }).underWay++;
  const loads = choices.map(({ underWay }) => underWay);
  assert(Math.max(...loads) - Math.min(...loads) <= 8, `${loads}`);
});

Deno.test("round-robin forgets what a reload has made meaningless: other weights hold within a few calls", () => {
  const pick = PICKERS["round-robin"](() => 0);
  const choose = (weights: Record<string, number>, count: number) => {
    const seen: Record<string, number> = {};
    for (const choice of both) choice.weight = weights[choice.name]!;
    for (let call = 0; call < count; call++) {
      const { name } = pick(both, { principal: "p" });
      seen[name] = (seen[name] ?? 0) + 1;
    }
    return seen;
  };
  const both = ["a", "b"].map((name) => ({ name, weight: 1, underWay: 0 }));
  choose({ a: 1_000, b: 1 }, 500);
  const { a = 0, b = 0 } = choose({ a: 1, b: 1 }, 20);
  assert(Math.abs(a - b) <= 4, `${a} and ${b}`);
});
