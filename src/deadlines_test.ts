import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Clock, Timer } from "./clock.ts";
import { Deadlines, sharedTimers } from "./deadlines.ts";
import { ManualClock } from "./testing/manual_clock.ts";

function setUp() {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, 1_000);
  const passed: string[] = [];
  const start = (name: string) => deadlines.start(() => passed.push(name));
  return { clock, deadlines, passed, start };
}

Deno.test("Deadlines pass each at its time, in order, with one timer", () => {
  const { clock, passed, start } = setUp();
  start("a");
  clock.advance(400);
  start("b");
  start("c");
  assertEquals(clock.timers, 1);
  clock.advance(599);
  assertEquals(passed, []);
  clock.advance(1);
  assertEquals([passed, clock.timers], [["a"], 1]);
  clock.advance(400);
  assertEquals([passed, clock.timers], [["a", "b", "c"], 0]);
});

Deno.test("a cancelled deadline does not pass, and the timer serves the next", () => {
  const { clock, deadlines, passed, start } = setUp();
  const first = start("a");
  clock.advance(500);
  first.cancel();
  start("b");
  assertEquals([deadlines.size, clock.timers], [1, 1]);
  clock.advance(999);
  assertEquals(passed, []);
  clock.advance(1);
  assertEquals([passed, clock.timers], [["b"], 0]);
  first.cancel();
});

Deno.test("deadlines are cancelled in any order, more than once, and the others pass", () => {
  for (const cancelled of ["a", "b", "c", "ab", "ba", "bc", "cb", "ac", "ca", "cba", "bb"]) {
    const { clock, deadlines, passed, start } = setUp();
    const timers = new Map(["a", "b", "c"].map((name) => [name, start(name)]));
    for (const name of cancelled) timers.get(name)!.cancel();
    const left = ["a", "b", "c"].filter((name) => !cancelled.includes(name));
    assertEquals(deadlines.size, left.length);
    clock.advance(1_000);
    assertEquals([passed, deadlines.size, clock.timers], [left, 0, 0]);
    for (const timer of timers.values()) timer.cancel();
    start("d");
    assertEquals(deadlines.size, 1);
    clock.advance(1_000);
    assertEquals(passed, [...left, "d"]);
  }
});

Deno.test("a deadline that passes may cancel the next, and close all of them", () => {
  const { clock, deadlines, passed, start } = setUp();
  const rest: { cancel(): void }[] = [];
  deadlines.start(() => rest[0]!.cancel());
  rest.push(start("a"));
  deadlines.start(() => deadlines.close());
  start("b");
  clock.advance(1_000);
  assertEquals([passed, deadlines.size, clock.timers], [[], 0, 0]);
});

Deno.test("a deadline may start another when it passes", () => {
  const { clock, deadlines, passed, start } = setUp();
  deadlines.start(() => void start("again"));
  clock.advance(1_000);
  assertEquals([passed, clock.timers], [[], 1]);
  clock.advance(1_000);
  assertEquals([passed, clock.timers], [["again"], 0]);
});

Deno.test("a deadline that starts another when it passes does not put off those behind it", () => {
  const { clock, deadlines, passed, start } = setUp();
  deadlines.start(() => void start("again"));
  clock.advance(1);
  start("b");
  clock.advance(999);
  assertEquals([passed, clock.timers], [[], 1]);
  clock.advance(1);
  assertEquals(passed, ["b"]);
  clock.advance(999);
  assertEquals([passed, clock.timers], [["b", "again"], 0]);
});

Deno.test("a deadline whose callback throws does not put off those behind it", () => {
  const { clock, deadlines, passed, start } = setUp();
  deadlines.start(() => {
    throw new RangeError("a test");
  });
  start("b");
  assertThrows(() => clock.advance(1_000), RangeError, "a test");
  clock.advance(0);
  assertEquals([passed, clock.timers], [["b"], 0]);
});

/** A deadline that is started after a while, and starts as many more behind each other as it `repeats`. */
interface Step {
  readonly waitMs: number;
  readonly repeats: number;
  /** Which deadline is cancelled then. */
  readonly cancels: number | null;
}

/** What passes when, each line with its name and time. */
function played(steps: readonly Step[], timersOn: (clock: ManualClock) => Pick<Clock, "after">) {
  const clock = new ManualClock();
  const timers = timersOn(clock);
  const started: Timer[] = [];
  const passed: string[] = [];
  const start = (name: number, repeats: number): void => {
    started[name] = timers.after(1_000, () => {
      passed.push(`${name} ${clock.monotonicMs()}`);
      if (repeats > 0) start(name, repeats - 1);
    });
  };
  for (const [name, { waitMs, repeats, cancels }] of steps.entries()) {
    clock.advance(waitMs);
    start(name, repeats);
    if (cancels !== null) started[cancels % started.length]!.cancel();
  }
  clock.advance(10_000);
  return { passed, left: clock.timers };
}

Deno.test("deadlines pass as timers of their own would, whatever is started and cancelled", () => {
  const step: fc.Arbitrary<Step> = fc.record({
    waitMs: fc.nat(400),
    repeats: fc.nat(3),
    cancels: fc.option(fc.nat()),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    assertEquals(played(steps, sharedTimers), played(steps, (clock) => clock));
  }));
});

Deno.test("close() forgets the deadlines and their timer", () => {
  const { clock, deadlines, passed, start } = setUp();
  start("a");
  deadlines.close();
  clock.advance(5_000);
  assertEquals([passed, clock.timers, deadlines.size], [[], 0, 0]);
  // What ends late leaves no timer behind.
  start("b").cancel();
  assertEquals(clock.timers, 0);
});

Deno.test("sharedTimers() has one timer for each length, up to 64 of them", () => {
  const clock = new ManualClock();
  const shared = sharedTimers(clock);
  const passed: number[] = [];
  for (const delayMs of [100, 200, 100]) shared.after(delayMs, () => passed.push(delayMs));
  shared.after(100, () => passed.push(0)).cancel();
  assertEquals(clock.timers, 2);
  clock.advance(200);
  assertEquals([passed, clock.timers], [[100, 100, 200], 0]);
  for (let delayMs = 300; delayMs < 400; delayMs++) {
    for (let time = 0; time < 2; time++) shared.after(delayMs, () => {}).cancel();
  }
  // Those of 62 lengths stay for the next of their length; the others were timers of their own.
  assertEquals(clock.timers, 62);
  shared.close();
  shared.after(100, () => {});
  shared.after(5_000, () => {});
  assertEquals(clock.timers, 0);
});
