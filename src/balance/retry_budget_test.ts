import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { RetryBudget } from "./retry_budget.ts";

/** How many retries there may be at this time, at most `most`; all of them are made. */
function spend(budget: RetryBudget, nowMs: number, most = 1_000): number {
  let made = 0;
  while (made < most && budget.mayRetry(nowMs)) {
    budget.retried(nowMs);
    made++;
  }
  return made;
}

Deno.test("each second has its first few retries, however few calls there are", () => {
  const budget = new RetryBudget({ retryBudgetPercent: 0, retryMinPerSecond: 3 });
  const times = [5_000, 5_999, 6_000, 7_500, 15_000, 15_001];
  assertEquals(times.map((nowMs) => spend(budget, nowMs)), [3, 0, 3, 3, 3, 0]);
});

Deno.test("what goes beyond is a part of the calls of the last ten seconds", () => {
  const budget = new RetryBudget({ retryBudgetPercent: 20, retryMinPerSecond: 0 });
  for (let call = 0; call < 100; call++) budget.called(1_000);
  assertEquals(spend(budget, 4_000, 15), 15);
  assertEquals(spend(budget, 10_999), 5);
  // The calls are eleven seconds old now; the retries of then do not count any more either.
  assertEquals(spend(budget, 11_000), 0);
  for (let call = 0; call < 10; call++) budget.called(21_000);
  assertEquals(spend(budget, 21_000), 2);
});

Deno.test("what every second has does not use up what goes beyond", () => {
  const budget = new RetryBudget({ retryBudgetPercent: 10, retryMinPerSecond: 5 });
  for (let call = 0; call < 50; call++) budget.called(1_000);
  assertEquals([spend(budget, 1_000), spend(budget, 2_000)], [10, 5]);
});

Deno.test("0 and 0 is never; other settings hold at once", () => {
  const budget = new RetryBudget({ retryBudgetPercent: 0, retryMinPerSecond: 0 });
  for (let call = 0; call < 50; call++) budget.called(0);
  assertEquals(spend(budget, 0), 0);
  budget.settings = { retryBudgetPercent: 100, retryMinPerSecond: 1 };
  assertEquals(spend(budget, 0), 51);
});

Deno.test("in no ten seconds are there more retries than the two rules give together", () => {
  const step = fc.record({ afterMs: fc.nat(3_000), calls: fc.nat(30) });
  fc.assert(fc.property(fc.array(step), fc.nat(100), fc.nat(5), (steps, percent, least) => {
    const budget = new RetryBudget({ retryBudgetPercent: percent, retryMinPerSecond: least });
    const [calls, retries]: [number[], number[]] = [[], []];
    let nowMs = 0;
    for (const { afterMs, calls: count } of steps) {
      nowMs += afterMs;
      for (let call = 0; call < count; call++) {
        budget.called(nowMs);
        calls.push(nowMs);
      }
      for (let made = spend(budget, nowMs); made > 0; made--) retries.push(nowMs);
      const second = Math.floor(nowMs / 1_000);
      const since = (times: number[], seconds: number) =>
        times.filter((atMs) => Math.floor(atMs / 1_000) > second - seconds).length;
      // Calls that have gone since were counted when the retries were made.
      const bound = least * 10 + since(calls, 20) * percent / 100;
      assert(since(retries, 10) <= bound, `${since(retries, 10)} of ${bound}`);
    }
  }));
});
