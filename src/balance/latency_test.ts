import { assert, assertEquals } from "@std/assert";
import * as balanceHealth from "../testing/balance_health.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { EjectionTimes } from "./ejection.ts";
import { random, withinATenth } from "./jitter.ts";
import { ENOUGH_TIMES, JUDGED_EVERY, KEPT_TIMES, Latencies } from "./latency.ts";

Deno.test("the median is that of the latest 64 times, found anew with each eighth", () => {
  const latencies = new Latencies();
  const judged: number[] = [];
  for (let count = 1; count <= 60; count++) {
    if (latencies.add(count)) judged.push(count);
    if (count === 19) assertEquals(latencies.medianMs, null);
    if (count === 27) assertEquals(latencies.medianMs, 10.5);
  }
  assertEquals(judged, [20, 28, 36, 44, 52, 60]);
  for (let count = 0; count < KEPT_TIMES; count++) latencies.add(7);
  assertEquals(latencies.medianMs, 7);
  latencies.clear();
  assertEquals([latencies.medianMs, ENOUGH_TIMES, JUDGED_EVERY], [null, 20, 8]);
  for (let count = 0; count < 20; count++) latencies.add(3);
  assertEquals(latencies.medianMs, 3);
});

Deno.test("the median is that of the times in order, whatever order they came in", () => {
  const latencies = new Latencies();
  for (let count = 0; count < 20; count++) latencies.add((count * 7) % 20);
  assertEquals(latencies.medianMs, 9.5);
  for (let count = 0; count < 8; count++) latencies.add(count % 2 === 0 ? 1_000 : 0);
  assertEquals(latencies.medianMs, 9.5);
  for (let count = 0; count < 8; count++) latencies.add(0);
  assertEquals(latencies.medianMs, 5.5);
});

Deno.test("R69 times are jittered by up to a tenth each way", () => {
  const clock = new ManualClock();
  const values = Array.from({ length: 2_000 }, () => withinATenth(1_000, clock));
  assert(values.every((value) => value >= 900 && value < 1_100));
  assert(Math.min(...values) < 920 && Math.max(...values) > 1_080);
  assertEquals(random(new balanceHealth.EvenClock()), 0.5);
});

Deno.test("an ejection is jittered, and never longer than maxEjectMs", () => {
  const lengths = Array.from({ length: 500 }, () => {
    const times = new EjectionTimes(new ManualClock());
    const bounds = { ejectMs: 1_000, maxEjectMs: 1_050 };
    return [times.next(bounds), times.next(bounds)] as const;
  });
  assert(new Set(lengths.map(([first]) => first)).size > 100);
  assert(lengths.every(([first, second]) => first >= 900 && first <= 1_050 && second <= 1_050));
});
