import { assert, assertEquals } from "@std/assert";
import { askedBetween, requestsPerCall, summariseEras } from "./era_summary.ts";
import { seededRandom } from "./stats.ts";

const plan = { serviceMs: 0, rounds: 10, calls: 2, connections: 1, pauseMs: 2 };

function all(elapsedMs: number): number[][] {
  return Array.from({ length: plan.rounds }, () => [elapsedMs, elapsedMs]);
}

Deno.test("askedBetween() leaves out what was asked for before", () => {
  const before = { initialize: 2, "tools/call": 10 };
  const after = { initialize: 2, "tools/call": 15, DELETE: 1 };
  assertEquals(askedBetween(before, after), { "tools/call": 5, DELETE: 1 });
  assertEquals(askedBetween(undefined, undefined), {});
});

Deno.test("summariseEras() compares what each way adds with what the same era adds", () => {
  const { rows } = summariseEras(
    plan,
    "direct",
    [
      { name: "direct", rounds: all(1) },
      { name: "same era", rounds: all(1.5) },
      { name: "modern, key", rounds: all(2) },
    ],
    new Map([["modern, key", { "tools/call": 20, initialize: 1 }]]),
    seededRandom(1),
  );
  const [direct, same, modern] = rows;
  assert(direct !== undefined && same !== undefined && modern !== undefined);
  assertEquals([direct.addedToScale, same.addedToScale], [undefined, undefined]);
  assertEquals(modern.addedToScale, { value: 2, interval: { low: 2, high: 2 } });
  assertEquals(requestsPerCall(modern), 1.05);
  assertEquals(requestsPerCall(direct), 0);
});
