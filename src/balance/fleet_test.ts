import { assertEquals } from "@std/assert";
import * as balanceHealth from "../testing/balance_health.ts";
import type { Failure, Outcome } from "./health.ts";

const { answered, calls, fleetUnderTest, HEALTH } = balanceHealth;
const failed = (kind: Failure, agoMs?: number): Outcome => ({ kind, agoMs });

const FAILURES: readonly [string, Outcome][] = [
  ["connect_timeout", failed("connect_timeout")],
  ["broken", failed("broken")],
  ["timeout", failed("timeout")],
  ["500", answered(500)],
  ["503", answered(503)],
];

for (const [name, outcome] of FAILURES) {
  Deno.test(`R65 maxFailures calls in a row that end with ${name} eject a target, and one fewer do not`, () => {
    const { a, b, downs } = fleetUnderTest();
    calls(a, 2, outcome);
    assertEquals([a.state, a.isAvailable, a.share], ["up", true, 1]);
    calls(a, 1, outcome);
    assertEquals([a.state, a.isAvailable, b.state], ["ejected", false, "up"]);
    assertEquals([a.told().failuresInRow, a.told().ejections], [3, 1]);
    // Sessions that are there stay.
    assertEquals(downs, []);
  });
}

for (const status of [200, 202, 302, 400, 401, 404, 429, 501]) {
  Deno.test(`a call that is answered with ${status} is a success of the server`, () => {
    const { a } = fleetUnderTest();
    calls(a, 2, answered(500));
    calls(a, 1, answered(status));
    calls(a, 2, answered(500));
    assertEquals([a.state, a.told().failuresInRow], ["up", 2]);
    calls(a, 10, answered(status));
    assertEquals([a.state, a.told().failuresInRow], ["up", 0]);
  });
}

Deno.test("R65 maxFailures calls in a row without a connection take a target down: its sessions have to leave", () => {
  const { a, downs } = fleetUnderTest();
  calls(a, 2, failed("unreachable"));
  assertEquals([a.state, downs], ["up", []]);
  calls(a, 1, failed("unreachable"));
  assertEquals([a.state, a.isAvailable, downs], ["down", false, ["a"]]);
  calls(a, 5, failed("unreachable"));
  assertEquals([downs, a.told().ejections], [["a"], 1]);
});

Deno.test("an ejected target is down once nobody is there for maxFailures calls in a row", () => {
  const { a, downs } = fleetUnderTest();
  calls(a, 1, failed("broken"));
  calls(a, 2, failed("unreachable"));
  assertEquals(a.state, "ejected");
  calls(a, 1, failed("unreachable"));
  assertEquals([a.state, downs, a.told().ejections], ["down", ["a"], 1]);
});

Deno.test("only calls without a connection in a row take a target down: any other outcome ends the row", () => {
  const { a } = fleetUnderTest();
  calls(a, 2, failed("unreachable"));
  calls(a, 1, answered());
  calls(a, 2, failed("unreachable"));
  assertEquals(a.state, "up");
  calls(a, 1, failed("broken"));
  calls(a, 2, failed("unreachable"));
  assertEquals(a.state, "ejected");
});

Deno.test("failures of an ejected target, whose sessions stay, make its time no longer", () => {
  const { a, clock, log } = fleetUnderTest();
  calls(a, 3, answered(500));
  clock.advance(500);
  calls(a, 10, answered(500));
  clock.advance(500);
  assertEquals([a.state, a.told().ejections, log.lines.length], ["returning", 1, 2]);
});

Deno.test("maxFailures 0 never ejects, and takes nothing down", () => {
  const { a } = fleetUnderTest({ maxFailures: 0 });
  calls(a, 50, failed("unreachable"));
  calls(a, 50, answered(500));
  assertEquals(a.state, "up");
});

Deno.test("never all at once: the last available target is not ejected, but as soon as another is there", () => {
  const { a, b, clock } = fleetUnderTest();
  calls(a, 3, answered(500));
  calls(b, 10, answered(500));
  assertEquals([a.state, b.state], ["ejected", "up"]);
  clock.advance(1_000);
  assertEquals([a.state, b.state], ["returning", "up"]);
  calls(b, 1, answered(500));
  assertEquals([a.state, b.state], ["returning", "ejected"]);
});

Deno.test("a target that asked to be left alone is no reason to eject the other", () => {
  const { a, b } = fleetUnderTest();
  calls(b, 1, answered(429, 0, 2_000));
  calls(a, 3, answered(500));
  assertEquals([a.state, b.isAvailable], ["up", false]);
});

Deno.test("down is the truth, and may be all of them", () => {
  const { a, b, downs } = fleetUnderTest();
  for (const target of [a, b]) calls(target, 3, failed("unreachable"));
  assertEquals([a.state, b.state, downs], ["down", "down", ["a", "b"]]);
});

Deno.test("an only target is never ejected, but is down where nobody is there", () => {
  const { a } = fleetUnderTest({}, [""]);
  calls(a, 10, failed("timeout"));
  assertEquals(a.state, "up");
  calls(a, 3, failed("unreachable"));
  assertEquals(a.state, "down");
});

for (const how of ["goes down", "is removed"]) {
  Deno.test(`where the last other target ${how}, the one that would come back first does so at once`, () => {
    const { a, b, c, clock } = fleetUnderTest({}, ["a", "b", "c"]);
    calls(a, 3, answered(500));
    clock.advance(100);
    calls(b, 3, answered(500));
    if (how === "is removed") c.remove();
    else for (const _ of [1, 2]) c.probed(false);
    assertEquals([a.state, b.state], ["returning", "ejected"]);
    assertEquals(a.told().reason, "no other target is left");
  });
}

Deno.test("where another target is left, one that goes down brings no ejected one back", () => {
  const { a, b, c } = fleetUnderTest({}, ["a", "b", "c"]);
  calls(a, 3, answered(500));
  calls(b, 3, failed("unreachable"));
  assertEquals([a.state, b.state, c.state], ["ejected", "down", "up"]);
});

Deno.test("each ejection in a row lasts twice as long, up to maxEjectMs", () => {
  const { a, clock } = fleetUnderTest();
  const lengths: number[] = [];
  calls(a, 2, answered(500));
  for (const _ of [1, 2, 3, 4, 5]) {
    calls(a, 1, answered(500));
    let length = 0;
    while (a.state === "ejected") {
      clock.advance(100);
      length += 100;
    }
    lengths.push(length);
  }
  assertEquals(lengths, [1_000, 2_000, 4_000, 6_000, 6_000]);
});

Deno.test("a healthy time as long as the latest ejection takes one step of growth back", () => {
  const { a, clock } = fleetUnderTest();
  const eject = () => {
    while (a.state !== "ejected") calls(a, 1, answered(500));
    const from = clock.monotonicMs();
    while (a.state === "ejected") clock.advance(100);
    return clock.monotonicMs() - from;
  };
  assertEquals([eject(), eject(), eject()], [1_000, 2_000, 4_000]);
  // The slow start is no healthy time yet.
  clock.advance(900 + 3_900);
  assertEquals(a.state, "up");
  calls(a, 1, answered());
  assertEquals(eject(), 6_000);
  clock.advance(900 + 6_000);
  calls(a, 1, answered());
  assertEquals(eject(), 6_000);
  clock.advance(900 + 6_000 + 4_000);
  calls(a, 1, answered());
  assertEquals(eject(), 4_000);
  clock.advance(60_000);
  calls(a, 1, answered());
  assertEquals(eject(), 1_000);
});

Deno.test("however often the longest ejection came, growth is taken back from there", () => {
  const { a, clock } = fleetUnderTest();
  const lengths: number[] = [];
  calls(a, 2, answered(500));
  for (let time = 0; time < 12; time++) {
    if (time === 11) clock.advance(900 + 6_000 + 4_000);
    calls(a, 3, answered(500));
    let length = 0;
    for (; a.state === "ejected"; length += 100) clock.advance(100);
    lengths.push(length);
  }
  assertEquals(lengths.slice(9), [6_000, 6_000, 4_000]);
});

Deno.test("a healthy time counts once, and not again for an ejection from the slow start", () => {
  const { a, clock } = fleetUnderTest();
  calls(a, 3, answered(500));
  clock.advance(1_000 + 900 + 500);
  calls(a, 3, answered(500));
  clock.advance(2_000);
  calls(a, 1, answered(500));
  clock.advance(3_999);
  assertEquals(a.state, "ejected");
  clock.advance(1);
  assertEquals(a.state, "returning");
});

Deno.test("a target that comes back grows from a tenth to its full share in slowStartMs", () => {
  const { a, clock } = fleetUnderTest();
  calls(a, 3, answered(500));
  clock.advance(999);
  assertEquals([a.state, a.isAvailable, a.share], ["ejected", false, 0.1]);
  clock.advance(1);
  assertEquals([a.state, a.isAvailable, a.share], ["returning", true, 0.1]);
  clock.advance(450);
  assertEquals([a.state, a.share], ["returning", 0.55]);
  clock.advance(449);
  assertEquals([a.state, Math.round(a.share * 1_000)], ["returning", 999]);
  clock.advance(1);
  assertEquals([a.state, a.share, a.told().reason], ["up", 1, null]);
});

Deno.test("time counts from when it was due, also where nobody looked then", () => {
  const { a, clock } = fleetUnderTest();
  calls(a, 3, answered(500));
  clock.advance(1_450);
  assertEquals([a.state, a.share, a.told().forMs], ["returning", 0.55, 450]);
  clock.advance(950);
  assertEquals([a.state, a.told().forMs], ["up", 500]);
});

Deno.test("slowStartMs 0 gives the full share at once", () => {
  const { a, clock } = fleetUnderTest({ slowStartMs: 0 });
  calls(a, 3, answered(500));
  clock.advance(1_000);
  assertEquals([a.state, a.share], ["up", 1]);
});

Deno.test("one failure while a target returns ejects it again, a success does not shield it", () => {
  const { a, clock } = fleetUnderTest();
  calls(a, 3, answered(500));
  clock.advance(1_000);
  calls(a, 5, answered());
  calls(a, 1, answered(500));
  assertEquals([a.state, a.told().failuresInRow, a.told().ejections], ["ejected", 1, 2]);
  clock.advance(1_999);
  assertEquals(a.state, "ejected");
  clock.advance(1);
  assertEquals(a.state, "returning");
});

Deno.test("calls from before a target came back do not eject it again, nor do they slow it", () => {
  const { a, b, clock } = fleetUnderTest();
  calls(b, 20, answered(200, 1));
  calls(a, 3, failed("timeout"));
  clock.advance(1_100);
  calls(a, 5, failed("timeout", 101));
  calls(a, 5, failed("unreachable", 5_000));
  calls(a, 20, answered(200, 1_000));
  assertEquals([a.state, a.told().medianMs], ["returning", null]);
  calls(a, 1, failed("timeout", 100));
  assertEquals(a.state, "ejected");
});

Deno.test("a call that a target answers while it is down brings it back, unless it is from before", () => {
  const { a, clock } = fleetUnderTest({ probe: "ping" });
  calls(a, 3, failed("unreachable"));
  clock.advance(50);
  calls(a, 1, answered(200, 51));
  calls(a, 1, answered(500, 1));
  assertEquals(a.state, "down");
  calls(a, 1, answered(404, 50));
  assertEquals([a.state, a.told().reason], ["returning", "it has answered a call"]);
});

for (const status of [429, 503]) {
  Deno.test(`R64 Retry-After of a ${status} leaves the target alone for that time, and does not eject it`, () => {
    const { a, b, clock } = fleetUnderTest();
    calls(a, 1, answered(status, 0, 2_000));
    calls(a, 1, answered(status, 0, 500));
    assertEquals([a.state, a.isAvailable, a.share, b.isAvailable], ["up", false, 1, true]);
    assertEquals([a.told().pausedForMs, b.told().pausedForMs], [2_000, 0]);
    clock.advance(1_999);
    assertEquals([a.isAvailable, a.told().pausedForMs], [false, 1]);
    clock.advance(1);
    assertEquals([a.isAvailable, a.told().ejections, a.told().pausedForMs], [true, 0, 0]);
  });
}

Deno.test("R64 Retry-After is bounded by maxEjectMs, and means nothing with another status", () => {
  const { a, b, clock, log } = fleetUnderTest();
  for (const status of [200, 301, 500]) calls(b, 1, answered(status, 0, 9_000));
  calls(b, 1, answered(429, 0, 0));
  assertEquals([b.isAvailable, log.lines], [true, []]);
  calls(a, 1, answered(503, 0, 86_400_000));
  clock.advance(5_999);
  assertEquals(a.isAvailable, false);
  clock.advance(1);
  assertEquals(a.isAvailable, true);
});

Deno.test("a target whose median is slowFactor times that of the others is ejected, and forgets its times", () => {
  const { a, b, c } = fleetUnderTest({}, ["a", "b", "c"]);
  calls(b, 20, answered(200, 30));
  calls(c, 20, answered(200, 10));
  calls(a, 19, answered(200, 101));
  assertEquals([a.state, a.told().medianMs], ["up", null]);
  calls(a, 1, answered(200, 101));
  assertEquals([a.state, a.told().medianMs, b.told().medianMs], ["ejected", null, 30]);
  assertEquals(a.told().reason, "slow: 101 ms to answer, the others 20 ms");
  // What its sessions see meanwhile is not held against it when it returns.
  calls(a, 20, answered(200, 50));
  assertEquals(a.told().medianMs, null);
});

const NOT_SLOW: readonly [string, Partial<typeof HEALTH>, number, number][] = [
  ["below slowMinMs", {}, 100, 20],
  ["below slowFactor times the others'", {}, 500, 20],
  ["beside others with too few times", {}, 9_000, 19],
  ["where slowFactor is 0", { slowFactor: 0 }, 9_000, 20],
];
for (const [name, settings, ownMs, others] of NOT_SLOW) {
  Deno.test(`a median ${name} is never too slow`, () => {
    const { a, b } = fleetUnderTest(settings);
    calls(b, others, answered(200, ownMs === 500 ? 100 : 1));
    calls(a, 100, answered(200, ownMs));
    assertEquals(a.state, "up");
  });
}

Deno.test("failures of the server say nothing of how slow it is", () => {
  const { a } = fleetUnderTest({ maxFailures: 0 });
  calls(a, 100, answered(500, 900));
  assertEquals(a.told().medianMs, null);
});

Deno.test("the last available target may be as slow as it likes", () => {
  const { a, b } = fleetUnderTest();
  calls(b, 20, answered(200, 1));
  calls(b, 1, answered(429, 0, 5_000));
  calls(a, 40, answered(200, 900));
  assertEquals(a.state, "up");
});

Deno.test("no timer runs, and a removed target tells nothing and counts for nothing", () => {
  const { a, b, clock, downs, log } = fleetUnderTest({ breakerTimeouts: 3 });
  assertEquals(clock.timers, 0);
  a.remove();
  a.remove();
  calls(a, 3, failed("unreachable"));
  calls(a, 3, failed("timeout"));
  a.record(answered(429, 0, 1_000));
  for (const _ of [1, 2]) a.probed(false);
  calls(b, 3, answered(500));
  assertEquals([downs, log.lines, b.state, clock.timers], [[], [], "up", 0]);
});

Deno.test("update() keeps what is known of the targets and takes the settings from then on", () => {
  const { a, b, clock, fleet } = fleetUnderTest({ probe: "ping" });
  calls(a, 2, answered(500));
  fleet.update({ ...HEALTH, probe: "ping", maxFailures: 2 });
  calls(a, 1, answered(500));
  assertEquals([a.state, a.told().failuresInRow], ["ejected", 3]);
  calls(b, 2, failed("unreachable"));
  clock.advance(60_000);
  assertEquals(b.state, "down");
  // Without probes it comes back by its time, which ran out long ago: from now on, with a slow start.
  fleet.update(HEALTH);
  assertEquals([b.state, b.share, b.told().forMs], ["returning", 0.1, 0]);
});

Deno.test("R96 each change is one log line, with names and reasons", () => {
  const { a, clock, log, fleet } = fleetUnderTest();
  calls(a, 3, answered(500));
  clock.advance(1_000);
  void a.state;
  clock.advance(900);
  void a.state;
  calls(a, 2, answered(429, 0, 700));
  clock.advance(60_000);
  calls(a, 3, failed("unreachable"));
  const of = (reason: string | undefined, forMs?: number) => ({
    route: "r",
    target: "a",
    reason,
    forMs,
  });
  assertEquals(log.lines, [
    ["warn", "a target is left alone", of("3 failed calls in a row: the server failed", 1_000)],
    ["info", "a target comes back", of("its time is over")],
    ["info", "a target has its full share again", of(undefined)],
    ["info", "a target asked to be left alone", of("it answered 429", 700)],
    ["warn", "a target is down", of("3 calls in a row without a connection", 1_000)],
  ]);
  log.lines.length = 0;
  fleet.update({ ...HEALTH, probe: "ping" });
  a.probed(true);
  a.probed(true);
  a.probed(false, "refused");
  a.probed(false, "refused");
  assertEquals(log.lines, [
    ["info", "a target comes back", of("2 good probes in a row")],
    ["warn", "a target is down", of("2 failed probes in a row: refused")],
  ]);
});
