import { assertEquals } from "@std/assert";
import { sharedTimers } from "../deadlines.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { KEEP_ALIVE, keepAlive } from "./keep_alive.ts";

function setUp(intervalMs: number) {
  const clock = new ManualClock();
  const sentMs: number[] = [];
  let passed = false;
  const timer = keepAlive(clock, intervalMs, {
    quiet: () => {
      const quiet = !passed;
      passed = false;
      return quiet;
    },
    push: (bytes) => {
      assertEquals(bytes, KEEP_ALIVE);
      passed = true;
      sentMs.push(clock.monotonicMs());
    },
  });
  return { clock, sentMs, timer, pass: () => passed = true };
}

Deno.test("R52 a stream that stays silent gets a comment in every interval, and not more", () => {
  const { clock, sentMs } = setUp(1_000);
  clock.advance(10_000);
  assertEquals(sentMs.length, 10);
  const silences = sentMs.map((ms, at) => ms - (sentMs[at - 1] ?? 0));
  assertEquals(Math.max(...silences), 1_000);
});

Deno.test("R52 nor is a stream silent for longer beside others that share its timer", () => {
  const clock = new ManualClock();
  const shared = sharedTimers(clock);
  const sentMs: number[][] = [];
  for (let at = 0; at < 3; at++) {
    let quiet = false;
    const sent: number[] = [];
    sentMs.push(sent);
    keepAlive(shared, 1_000, {
      // The head of each went out when it began.
      quiet: () => [quiet, quiet = true][0]!,
      push: () => {
        quiet = false;
        sent.push(clock.monotonicMs() - at);
      },
    });
    clock.advance(1);
  }
  clock.advance(5_500);
  assertEquals(sentMs, [1, 2, 3].map(() => [1_000, 2_000, 3_000, 4_000, 5_000]));
  shared.close();
});

Deno.test("R52 what passes puts the comment off, and no silence is longer than the interval", () => {
  const { clock, sentMs, pass } = setUp(1_000);
  for (let times = 0; times < 10; times++) {
    clock.advance(400);
    pass();
  }
  assertEquals(sentMs, []);
  clock.advance(1_000);
  assertEquals(sentMs.length, 1);
});

Deno.test("R52 the comment is one that clients pass over", () => {
  assertEquals(new TextDecoder().decode(KEEP_ALIVE), ": keep-alive\n\n");
});

Deno.test("R52 0 sends none and sets no timer; a cancelled one leaves none behind", () => {
  const none = setUp(0);
  assertEquals(none.clock.timers, 0);
  none.timer.cancel();
  const { clock, timer, sentMs } = setUp(1_000);
  clock.advance(1_700);
  timer.cancel();
  timer.cancel();
  const before = sentMs.length;
  clock.advance(10_000);
  assertEquals([clock.timers, sentMs.length], [0, before]);
});
