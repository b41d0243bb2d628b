import { assertEquals } from "@std/assert";
import * as balanceHealth from "../testing/balance_health.ts";
import type { Outcome, TargetHealth } from "./health.ts";

const { answered, calls, fleetUnderTest, HEALTH } = balanceHealth;
const LATE: Outcome = { kind: "timeout" };
const SETTINGS = { breakerTimeouts: 3, maxFailures: 0, maxEjectMs: 350 };

function openBreaker(target: TargetHealth): void {
  calls(target, 3, LATE);
  assertEquals(target.told().breaker, "open");
}

Deno.test("breakerTimeouts calls in a row that ran into a deadline open the breaker, whichever deadline", () => {
  const { a } = fleetUnderTest(SETTINGS);
  calls(a, 2, LATE);
  assertEquals([a.told().breaker, a.admit()], ["closed", 0]);
  a.record({ kind: "connect_timeout" });
  assertEquals([a.told().breaker, a.admit()], ["open", 100]);
});

for (const kind of ["unreachable", "broken", "answered"] as const) {
  Deno.test(`a call that is ${kind} costs no time: it opens no breaker and ends the row`, () => {
    const { a } = fleetUnderTest(SETTINGS);
    const outcome: Outcome = kind === "answered" ? answered(500) : { kind };
    calls(a, 10, outcome);
    calls(a, 2, LATE);
    calls(a, 1, outcome);
    calls(a, 2, LATE);
    assertEquals([a.told().breaker, a.admit()], ["closed", 0]);
  });
}

Deno.test("breakerTimeouts 0 never opens, and lets everything through from then on", () => {
  const off = fleetUnderTest({ ...SETTINGS, breakerTimeouts: 0 });
  calls(off.a, 100, LATE);
  assertEquals(off.log.lines, []);
  const { a, fleet } = fleetUnderTest(SETTINGS);
  openBreaker(a);
  fleet.update({ ...HEALTH, ...SETTINGS, breakerTimeouts: 0 });
  calls(a, 100, LATE);
  assertEquals([a.told().breaker, a.admit()], ["closed", 0]);
});

Deno.test("an open breaker says how long, then lets exactly one call through at a time", () => {
  const { a, clock } = fleetUnderTest(SETTINGS);
  openBreaker(a);
  clock.advance(60);
  assertEquals(a.admit(), 40);
  clock.advance(39.5);
  assertEquals(a.admit(), 1);
  clock.advance(0.5);
  assertEquals(a.told().breaker, "half-open");
  assertEquals([a.admit(), a.admit(), a.admit()], [0, 100, 100]);
  clock.advance(1_000);
  assertEquals([a.admit(), a.told().breaker], [100, "half-open"]);
});

Deno.test("a trial that is answered closes the breaker, with whatever status", () => {
  for (const status of [200, 404, 500]) {
    const { a, clock } = fleetUnderTest(SETTINGS);
    openBreaker(a);
    clock.advance(100);
    assertEquals(a.admit(), 0);
    a.record(answered(status));
    assertEquals([a.told().breaker, a.admit(), a.admit()], ["closed", 0, 0]);
    a.record(LATE);
    a.record(LATE);
    assertEquals(a.told().breaker, "closed");
  }
});

Deno.test("each trial that is late keeps it open twice as long, up to maxEjectMs; an answer ends that", () => {
  const { a, clock } = fleetUnderTest(SETTINGS);
  openBreaker(a);
  for (const lengthMs of [100, 200, 350, 350]) {
    assertEquals(a.admit(), lengthMs);
    clock.advance(lengthMs);
    assertEquals(a.admit(), 0);
    a.record(LATE);
  }
  clock.advance(350);
  assertEquals(a.admit(), 0);
  a.record(answered());
  openBreaker(a);
  assertEquals(a.admit(), 100);
});

Deno.test("a trial that is forgotten, or fails without cost, lets the next one try at once", () => {
  const { a, clock } = fleetUnderTest(SETTINGS);
  openBreaker(a);
  clock.advance(100);
  for (const end of [() => a.forget(), () => a.record({ kind: "unreachable" })]) {
    assertEquals([a.admit(), a.admit()], [0, 100]);
    end();
    assertEquals(a.told().breaker, "half-open");
  }
  assertEquals([a.admit(), a.admit()], [0, 100]);
});

Deno.test("calls from before it opened neither end the trial nor open it again, but an answer closes it", () => {
  const { a, clock } = fleetUnderTest(SETTINGS);
  openBreaker(a);
  clock.advance(100);
  assertEquals(a.admit(), 0);
  clock.advance(50);
  a.record({ kind: "timeout", agoMs: 150 });
  a.record({ kind: "broken", agoMs: 150 });
  a.forget(500);
  assertEquals([a.admit(), a.told().breaker], [100, "half-open"]);
  a.forget(50);
  assertEquals(a.admit(), 0);
  a.record(answered(200, 5_000));
  assertEquals(a.told().breaker, "closed");
});

Deno.test("a trial that goes on when the breaker closes does not stand in the way of the next one", () => {
  const { a, clock } = fleetUnderTest(SETTINGS);
  openBreaker(a);
  clock.advance(100);
  assertEquals(a.admit(), 0);
  a.record(answered(200, 5_000));
  openBreaker(a);
  clock.advance(100);
  a.forget(100);
  assertEquals([a.admit(), a.admit()], [0, 100]);
});

Deno.test("calls from before it closed do not open it again", () => {
  const { a, clock } = fleetUnderTest(SETTINGS);
  openBreaker(a);
  clock.advance(100);
  calls(a, 1, answered());
  clock.advance(10);
  calls(a, 10, { kind: "timeout", agoMs: 11 });
  assertEquals(a.told().breaker, "closed");
  calls(a, 3, { kind: "timeout", agoMs: 10 });
  assertEquals(a.told().breaker, "open");
});

Deno.test("a target that comes back is tried at once, however long its breaker was to be open", () => {
  const { a, clock, log } = fleetUnderTest({ ...SETTINGS, probe: "ping", breakerMs: 300 });
  for (const _ of [1, 2]) a.probed(false, "refused");
  openBreaker(a);
  log.lines.length = 0;
  for (const _ of [1, 2]) a.probed(true);
  // Not at the very moment of opening, when a trial could not be told from the calls that opened it.
  assertEquals(a.admit(), 1);
  clock.advance(1);
  assertEquals([a.admit(), a.admit()], [0, 300]);
  a.record(LATE);
  clock.advance(350);
  calls(a, 1, answered());
  assertEquals(log.lines.map(([level, message]) => [level, message]), [
    ["info", "a target comes back"],
    ["warn", "a target gets no calls until one is answered"],
    ["info", "a target gets calls again"],
  ]);
});
