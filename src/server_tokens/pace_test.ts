import { assertEquals } from "@std/assert";
import { FIRST_WAIT_MS, MAX_ASKED_MS, MAX_KEYS, MAX_WAIT_MS, Pace, Paces } from "./pace.ts";

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

Deno.test("Pace waits as long as is asked for where that is longer, up to five minutes, and doubles its own all the same", () => {
  const pace = new Pace();
  for (const [askedMs, waitMs] of [[0, 1_000], [30_000, 30_000], [1e9, MAX_ASKED_MS], [0, 8_000]]) {
    pace.failed(0, askedMs);
    assertEquals(pace.waitMs(0), waitMs);
  }
});

Deno.test("Paces keeps a pace for each of 32 keys, and forgets the one that has failed longest ago", () => {
  const paces = new Paces();
  for (let at = 0; at < MAX_KEYS; at++) paces.failed(`key ${at}`, 0);
  paces.failed("key 0", 0);
  paces.failed("one more", 0);
  const waits = ["key 0", "key 1", "key 2", "one more", "none"].map((key) => paces.waitMs(key, 0));
  assertEquals(waits, [2 * FIRST_WAIT_MS, 0, FIRST_WAIT_MS, FIRST_WAIT_MS, 0]);
});
