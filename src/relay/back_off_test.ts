import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ProxyError } from "../errors.ts";
import {
  type BackOff,
  delayBefore,
  MAX_RETRY_MS,
  MIN_POLL_MS,
  POLL_MS,
  Polls,
} from "./back_off.ts";

const BACK_OFF: BackOff = {
  attempts: 8,
  initialDelayMs: 200,
  maxDelayMs: 30_000,
  maxSilentMs: 10_000,
};

Deno.test("R69 the random part doubles from attempt to attempt up to its bound", () => {
  const longest = (attempt: number) => delayBefore(attempt, undefined, 0.999_999, BACK_OFF);
  assertEquals([0, 1, 2, 6, 8, 100].map(longest), [199, 399, 799, 12_799, 29_999, 29_999]);
  assertEquals(delayBefore(5, undefined, 0, BACK_OFF), 0);
});

// 2025-11-25 basic/transports: "The client MUST respect the retry field"; `maxDelayMs` is about the random part.
Deno.test("R57 what the server asked for with retry is waited in any case, up to five minutes", () => {
  assertEquals(delayBefore(0, 5_000, 0, BACK_OFF), 5_000);
  assertEquals(delayBefore(0, 5_000, 0.5, BACK_OFF), 5_100);
  assertEquals(delayBefore(0, 60_000, 0, BACK_OFF), 60_000);
  assertEquals(delayBefore(0, Number.MAX_SAFE_INTEGER, 0, BACK_OFF), 300_000);
});

Deno.test("R69 every wait is a whole number of milliseconds within its bounds", () => {
  const retry = fc.option(fc.maxSafeNat(), { nil: undefined });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const bounds = fc.record({
    attempts: fc.constant(100),
    maxSilentMs: fc.constant(1),
    initialDelayMs: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    maxDelayMs: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  });
  fc.assert(fc.property(fc.nat(100), retry, random, bounds, (attempt, retryMs, at, backOff) => {
    const delayMs = delayBefore(attempt, retryMs, at, backOff);
    const leastMs = Math.min(retryMs ?? 0, MAX_RETRY_MS);
    assert(Number.isSafeInteger(delayMs));
    assert(delayMs >= leastMs && delayMs < leastMs + backOff.maxDelayMs);
  }));
});

Deno.test("R57 Polls: the first comes at once or after retry, and further ones are no closer than they may be", () => {
  for (
    const [retryMs, firstMs, apartMs] of [
      [undefined, 0, POLL_MS],
      [0, 0, MIN_POLL_MS],
      [5_000, 5_000, 5_000],
    ] as const
  ) {
    const polls = new Polls(BACK_OFF);
    assertEquals(polls.delay(1_000, retryMs, 0), firstMs);
    // Answered with a stream that ends at once.
    assertEquals(polls.delay(1_000 + firstMs, retryMs, 0), apartMs, `retry ${retryMs}`);
    // And with one that was open for long.
    polls.delivered();
    const laterMs = 1_000 + firstMs + apartMs + 2_000;
    assertEquals(polls.delay(laterMs, retryMs, 0), retryMs ?? 0, `retry ${retryMs}`);
  }
});

Deno.test("R69 Polls: many streams that ended together do not come back together", () => {
  assertEquals(new Polls(BACK_OFF).delay(0, 5_000, 0.5), 5_100);
});

Deno.test("R58 Polls: a stream on which nothing comes is polled for so long, and each event begins that anew", () => {
  const polls = new Polls(BACK_OFF);
  for (let nowMs = 0; nowMs < 10_000; nowMs += 1_000) polls.delay(nowMs, undefined, 0);
  polls.delivered();
  polls.delay(10_000, undefined, 0);
  polls.delay(19_999, undefined, 0);
  const error = assertThrows(() => polls.delay(20_000, undefined, 0), ProxyError);
  assertEquals([error.kind, error.message], [
    "upstream_timeout",
    "The upstream server was polled for 10000 ms and said nothing.",
  ]);
});
