import { assert, assertEquals } from "@std/assert";
import { latencyPlans, pausesMs } from "./sections.ts";
import { seededRandom } from "./stats.ts";

const rhythm = { serviceMs: 5, rounds: 80, calls: 5, pauseMs: 2 };

Deno.test("latencyPlans() has one connection in step, several in step and apart", () => {
  const one = { serviceMs: 5, calls: 5, connections: 1, pauseMs: 2, rounds: 80 };
  assertEquals(latencyPlans({ ...rhythm, connections: 1 }), [one]);
  const inStep = { ...one, connections: 8, rounds: 29 };
  assertEquals(latencyPlans({ ...rhythm, connections: 8 }), [inStep, { ...inStep, spreadMs: 7 }]);
});

Deno.test("pausesMs() are alike in step; apart they are drawn from the whole spread, by the seed", () => {
  const plan = { ...rhythm, connections: 8, calls: 1000 };
  assertEquals(new Set(pausesMs(plan, seededRandom(1))), new Set([2]));
  const apart = pausesMs({ ...plan, spreadMs: 7 }, seededRandom(1));
  assertEquals(apart, pausesMs({ ...plan, spreadMs: 7 }, seededRandom(1)));
  assert(apart.every((pauseMs) => pauseMs >= 2 && pauseMs < 9));
  assert(Math.min(...apart) < 2.1 && Math.max(...apart) > 8.9);
});
