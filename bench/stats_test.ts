import { assert, assertEquals, assertLess } from "@std/assert";
import {
  bootstrapInterval,
  percentile,
  ratePerSecond,
  seededRandom,
  shuffled,
  sortSamples,
} from "./stats.ts";

Deno.test("percentile() is the nearest rank", () => {
  const samples = sortSamples([[5, 1, 3], [2, 4]]);
  assertEquals(percentile(samples, 0.5), 3);
  assertEquals(percentile(samples, 0.95), 5);
  assertEquals(percentile(samples, 0), 1);
  assertEquals(percentile(samples, 0.2), 1);
  assertEquals(percentile(samples, 0.21), 2);
});

Deno.test("percentile() of nothing is NaN", () => {
  assert(Number.isNaN(percentile(sortSamples([]), 0.5)));
  assert(Number.isNaN(percentile(sortSamples([]), 0.5, new Uint32Array(0))));
});

Deno.test("percentile() counts a round as often as its weight says", () => {
  const samples = sortSamples([[1, 2], [10, 20], [100, 200]]);
  assertEquals(percentile(samples, 0.5, Uint32Array.of(1, 1, 1)), percentile(samples, 0.5));
  assertEquals(percentile(samples, 0.5, Uint32Array.of(0, 0, 3)), 100);
  assertEquals(percentile(samples, 0.99, Uint32Array.of(3, 0, 0)), 2);
  assertEquals(percentile(samples, 0.6, Uint32Array.of(2, 1, 0)), 2);
});

Deno.test("seededRandom() repeats for a seed, stays in [0, 1) and is spread", () => {
  const first = seededRandom(7);
  const second = seededRandom(7);
  let sum = 0;
  for (let drawn = 0; drawn < 10_000; drawn++) {
    const value = first();
    assertEquals(value, second());
    assert(value >= 0 && value < 1);
    sum += value;
  }
  assertLess(Math.abs(sum / 10_000 - 0.5), 0.02);
});

Deno.test("shuffled() keeps every item and leaves the input alone", () => {
  const items = ["a", "b", "c", "d"];
  const random = seededRandom(1);
  const orders = new Set<string>();
  for (let round = 0; round < 500; round++) {
    const order = shuffled(items, random);
    assertEquals([...order].sort(), items);
    orders.add(order.join(""));
  }
  assertEquals(items, ["a", "b", "c", "d"]);
  assertEquals(orders.size, 24);
});

Deno.test("bootstrapInterval() holds the figure and narrows with more rounds", () => {
  const width = (roundCount: number): number => {
    const random = seededRandom(3);
    const rounds = Array.from({ length: roundCount }, () => [random() * 10]);
    const samples = sortSamples(rounds);
    const interval = bootstrapInterval(
      roundCount,
      random,
      (weights) => percentile(samples, 0.5, weights),
    );
    const middle = percentile(samples, 0.5);
    assert(interval.low <= middle && middle <= interval.high);
    return interval.high - interval.low;
  };
  assertLess(width(1000), width(30));
});

Deno.test("bootstrapInterval() of rounds that are all alike is a point", () => {
  const samples = sortSamples(Array.from({ length: 20 }, () => [1, 2, 3]));
  const interval = bootstrapInterval(
    20,
    seededRandom(1),
    (weights) => percentile(samples, 0.95, weights) / percentile(samples, 0.5, weights),
  );
  assertEquals(interval, { low: 1.5, high: 1.5 });
});

Deno.test("ratePerSecond() weighs slices by their time", () => {
  const slices = [{ count: 10, elapsedMs: 100 }, { count: 30, elapsedMs: 900 }];
  assertEquals(ratePerSecond(slices), 40);
  assertEquals(ratePerSecond(slices, Uint32Array.of(2, 0)), 100);
  assert(Number.isNaN(ratePerSecond([])));
});
