/**
 * What probes say of a target, beside its calls.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as balanceHealth from "../testing/balance_health.ts";
import type { Failure, Outcome } from "./health.ts";

const { answered, calls, fleetUnderTest, HEALTH } = balanceHealth;
const failed = (kind: Failure, agoMs?: number): Outcome => ({ kind, agoMs });

Deno.test("R65 each failed call of a target that is taken for well is reason to look at it", () => {
  const { a, b, doubts } = fleetUnderTest();
  calls(a, 1, failed("timeout"));
  calls(b, 1, answered(429));
  calls(a, 1, answered(500));
  assertEquals(doubts, ["a", "a"]);
  calls(a, 1, failed("unreachable"));
  assertEquals([a.state, doubts], ["ejected", ["a", "a", "a"]]);
  calls(a, 1, failed("unreachable"));
  assertEquals(doubts.length, 3);
});

Deno.test("where there are no probes a target that is down comes back by its time, and goes at once again", () => {
  const { a, clock, downs } = fleetUnderTest();
  calls(a, 3, failed("unreachable"));
  clock.advance(999);
  assertEquals(a.state, "down");
  clock.advance(1);
  assertEquals(a.state, "returning");
  calls(a, 1, failed("unreachable"));
  assertEquals([a.state, downs], ["down", ["a", "a"]]);
  clock.advance(1_999);
  assertEquals(a.state, "down");
  clock.advance(1);
  assertEquals(a.state, "returning");
});

Deno.test("R65 where there are probes a target that is down comes back by them and not by its time", () => {
  const { a, clock } = fleetUnderTest({ probe: "ping" });
  calls(a, 3, failed("unreachable"));
  clock.advance(3_600_000);
  assertEquals([a.state, a.share], ["down", 0.1]);
  a.probed(true);
  a.probed(false);
  a.probed(true);
  assertEquals(a.state, "down");
  a.probed(true);
  assertEquals([a.state, a.share, a.told().failuresInRow], ["returning", 0.1, 0]);
  // One call without a connection is a failure of a target that returns, and proves no more.
  calls(a, 1, failed("unreachable"));
  assertEquals(a.state, "ejected");
});

Deno.test("good probes from before a target went down do not bring it back", () => {
  const { a } = fleetUnderTest({ probe: "ping" });
  for (const _ of [1, 2, 3]) a.probed(true);
  calls(a, 3, failed("unreachable"));
  a.probed(true);
  assertEquals(a.state, "down");
  a.probed(true);
  assertEquals(a.state, "returning");
});

Deno.test("an ejected target comes back by its time, whatever probes there are", () => {
  const { a, clock } = fleetUnderTest({ probe: "ping" });
  calls(a, 3, answered(500));
  for (const _ of [1, 2, 3]) a.probed(true);
  assertEquals(a.state, "ejected");
  clock.advance(1_000);
  assertEquals(a.state, "returning");
});

Deno.test("unhealthyAfter failed probes in a row take a target down, an ejected one too", () => {
  const { a, b, downs } = fleetUnderTest({ probe: "ping" });
  a.probed(false, "refused");
  a.probed(true);
  a.probed(false, "refused");
  assertEquals([a.state, a.told().probe], ["up", { agoMs: 0, ok: false }]);
  a.probed(false, "no answer in 200 ms");
  assertEquals([a.state, downs], ["down", ["a"]]);
  assertEquals(a.told().reason, "2 failed probes in a row: no answer in 200 ms");
  a.probed(false, "refused");
  assertEquals([downs, a.told().reason?.slice(0, 15)], [["a"], "2 failed probes"]);
  a.probed(true);
  a.probed(true);
  calls(a, 1, answered(500));
  assertEquals([a.state, b.state], ["ejected", "up"]);
  a.probed(false);
  a.probed(false);
  assertEquals([a.state, downs], ["down", ["a", "a"]]);
});

Deno.test("auto has probes where there are several targets and none where there is one", () => {
  const { a, b, clock } = fleetUnderTest({ probe: "auto" });
  calls(a, 3, failed("unreachable"));
  clock.advance(2_000);
  assertEquals(a.state, "down");
  b.remove();
  assertEquals([a.state, a.share], ["returning", 0.1]);
});

Deno.test("after a call has brought a target back, probes have to fail anew to take it down", () => {
  const { a } = fleetUnderTest({ probe: "ping" });
  for (const _ of [1, 2]) a.probed(false);
  calls(a, 1, answered());
  a.probed(false);
  assertEquals(a.state, "returning");
  a.probed(false);
  assertEquals(a.state, "down");
});

Deno.test("a time that ran out without probes counts, also where probes come before anybody looked", () => {
  const { a, clock, fleet } = fleetUnderTest();
  calls(a, 3, failed("unreachable"));
  clock.advance(1_000);
  fleet.update({ ...HEALTH, probe: "ping" });
  assertEquals(a.state, "returning");
});
