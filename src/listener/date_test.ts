import { assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { HttpDate } from "./date.ts";

Deno.test("the date is that of the second, however often and however seldom it is asked for", () => {
  const clock = new ManualClock();
  const date = new HttpDate(clock);
  clock.advance(350);
  for (const waitMs of [0, 0, 300, 349, 1, 500, 500, 3_600_000, 86_400_000, 10]) {
    clock.advance(waitMs);
    assertEquals(date.text(), clock.now().toUTCString());
  }
});
