import { assertEquals } from "@std/assert";
import { FIRST_WAIT_MS, MAX_WAIT_MS, Pace } from "./pace.ts";

Deno.test("Pace waits twice as long with each failure in a row, up to a minute, and starts over where it is calm", () => {
  const pace = new Pace();
  assertEquals(pace.waitMs(0), 0);
  const waits: number[] = [];
  let nowMs = 100;
  for (let failures = 0; failures < 9; failures++) {
    pace.failed(nowMs);
    const waitMs = pace.waitMs(nowMs);
    waits.push(waitMs / 1_000);
    assertEquals([pace.waitMs(nowMs + 1), pace.waitMs(nowMs + waitMs)], [waitMs - 1, 0]);
    nowMs += waitMs + 5_000;
  }
  assertEquals(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  assertEquals([FIRST_WAIT_MS, MAX_WAIT_MS], [1_000, 60_000]);
  pace.calm();
  assertEquals(pace.waitMs(nowMs), 0);
  pace.failed(nowMs);
  assertEquals(pace.waitMs(nowMs), FIRST_WAIT_MS);
  // As a clock has it that counts fractions.
  for (let at = 0; at < 1_000; at++) {
    const fraction = 100 + at * 1.0001;
    pace.calm();
    pace.failed(fraction);
    assertEquals(pace.waitMs(fraction), FIRST_WAIT_MS);
  }
});
