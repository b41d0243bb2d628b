import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type BackOff, delayBefore } from "./back_off.ts";

const BACK_OFF: BackOff = { attempts: 8, initialDelayMs: 200, maxDelayMs: 30_000 };

Deno.test("R69 the random part doubles from attempt to attempt up to its bound", () => {
  const longest = (attempt: number) => delayBefore(attempt, undefined, 0.999_999, BACK_OFF);
  assertEquals([0, 1, 2, 6, 8, 100].map(longest), [199, 399, 799, 12_799, 29_999, 29_999]);
  assertEquals(delayBefore(5, undefined, 0, BACK_OFF), 0);
});

Deno.test("R57 what the server asked for with retry is waited in any case, up to the bound", () => {
  assertEquals(delayBefore(0, 5_000, 0, BACK_OFF), 5_000);
  assertEquals(delayBefore(0, 5_000, 0.5, BACK_OFF), 5_100);
  assertEquals(delayBefore(0, Number.MAX_SAFE_INTEGER, 0, BACK_OFF), 30_000);
});

Deno.test("R69 every wait is a whole number of milliseconds within its bounds", () => {
  const retry = fc.option(fc.maxSafeNat(), { nil: undefined });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const bounds = fc.record({
    attempts: fc.constant(100),
    initialDelayMs: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    maxDelayMs: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  });
  fc.assert(fc.property(fc.nat(100), retry, random, bounds, (attempt, retryMs, at, backOff) => {
    const delayMs = delayBefore(attempt, retryMs, at, backOff);
    const leastMs = Math.min(retryMs ?? 0, backOff.maxDelayMs);
    assert(Number.isSafeInteger(delayMs));
    assert(delayMs >= leastMs && delayMs < leastMs + backOff.maxDelayMs);
  }));
});
