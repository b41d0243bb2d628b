import { assertEquals } from "@std/assert";
import { ManualClock } from "../testing/mod.ts";
import { HttpDate } from "./date.ts";

/** What HTTP calls the time of this clock. */
const told = (clock: ManualClock) => clock.now().toUTCString();

Deno.test("the date is that of the second, however often it is asked for", () => {
  const clock = new ManualClock();
  const date = new HttpDate(clock);
  for (let step = 0; step < 50; step++) {
    assertEquals(date.text(), told(clock));
    clock.advance(100);
  }
  date.close();
});

Deno.test("the date is right after a time in which nobody asked, and no timer runs then", () => {
  const clock = new ManualClock();
  const date = new HttpDate(clock);
  date.text();
  assertEquals(clock.timers, 1);
  clock.advance(1_000);
  assertEquals(clock.timers, 0);
  clock.advance(3_600_000);
  assertEquals(date.text(), told(clock));
  date.close();
});

Deno.test("who asks in each second has one timer, and none once the date is closed", () => {
  const clock = new ManualClock();
  const date = new HttpDate(clock);
  for (let second = 0; second < 5; second++) {
    date.text();
    date.text();
    assertEquals(clock.timers, 1);
    clock.advance(1_000);
  }
  date.text();
  date.close();
  assertEquals(clock.timers, 0);
  clock.advance(5_000);
  assertEquals(date.text(), told(clock));
  assertEquals(clock.timers, 0);
});
