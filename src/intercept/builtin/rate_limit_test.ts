import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { InterceptContext } from "../types.ts";
import { builtinUnderTest } from "../../testing/builtin.ts";

const CALL = { id: 1, method: "tools/call", params: { name: "t" } };

function waits(outcome: unknown): number {
  if (outcome === "same") return 0;
  const { answer: { error } } = outcome as {
    answer: { error: { code: number; data: { retryAfterMs: number } } };
  };
  assertEquals(error.code, -31429);
  return error.data.retryAfterMs;
}

Deno.test("rate_limit: a burst, then so many each second, and how long to wait", () => {
  const { client, clock } = builtinUnderTest("rate_limit", { burst: 2, perSecond: 4 });
  const take = () => waits(client(CALL));
  assertEquals([take(), take(), take(), take()], [0, 0, 250, 250]);
  clock.advance(100);
  assertEquals(take(), 150);
  clock.advance(150);
  assertEquals([take(), take()], [0, 250]);
  clock.advance(60_000);
  assertEquals([take(), take(), take()], [0, 0, 250]);
});

Deno.test("rate_limit: property: who waits as told is let through, and nobody gets more than the rate", () => {
  const rates = fc.record({
    burst: fc.integer({ min: 1, max: 5 }),
    perSecond: fc.constantFrom(0.1, 1, 3, 7.7, 1000),
  });
  fc.assert(
    fc.property(rates, fc.array(fc.nat(3000), { maxLength: 30 }), (options, pauses) => {
      const { client, clock } = builtinUnderTest("rate_limit", options);
      let passed = 0;
      for (const pause of pauses) {
        clock.advance(pause);
        const waitMs = waits(client(CALL));
        if (waitMs === 0) passed++;
        else {
          clock.advance(waitMs);
          assertEquals(waits(client(CALL)), 0);
          passed++;
        }
      }
      const most = options.burst + clock.monotonicMs() / 1000 * options.perSecond;
      assertEquals(passed <= most + 1e-6, true, `${passed} of ${most}`);
    }),
    { numRuns: 100 },
  );
});

Deno.test("rate_limit: each session, each caller, or all together", () => {
  const taken = (by: string, ...contexts: Partial<InterceptContext>[]) => {
    const { client } = builtinUnderTest("rate_limit", { burst: 1, perSecond: 1, by });
    return contexts.map((context) => waits(client(CALL, context)) === 0);
  };
  const [a, b] = [{ sessionId: "a", principal: "p" }, { sessionId: "b", principal: "p" }];
  const other = { sessionId: "a", principal: "q" };
  const none = { sessionId: undefined, principal: "a" };
  assertEquals(taken("session", a, b, a, other), [true, true, false, false]);
  assertEquals(taken("session", a, none, none), [true, true, false]);
  assertEquals(taken("principal", a, b, other), [true, false, true]);
  assertEquals(taken("route", a, other), [true, false]);
  // A claim stands ahead of the last #: it is no matter. What has none is the name of a key.
  const named = (principal: string) => ({ sessionId: undefined, principal });
  const names = ["a#0", "b#0", "a#b#0", "#0", "a#1", "0", "a"].map(named);
  assertEquals(taken("principal", ...names), [true, false, false, false, true, true, true]);
});

Deno.test("rate_limit: only requests count, and only those of the named methods and tools", () => {
  const { client } = builtinUnderTest("rate_limit", {
    burst: 1,
    perSecond: 1,
    methods: ["tools/*"],
    tools: ["slow_*"],
  });
  const tool = (name: unknown) => waits(client({ ...CALL, params: { name } }));
  assertEquals([tool("slow_a"), tool("slow_b"), tool("fast"), tool(1)], [0, 1000, 0, 0]);
  assertEquals(waits(client({ id: 1, method: "tools/list" })), 0);
  assertEquals(waits(client({ method: "tools/call", params: { name: "slow_a" } })), 0);
  assertEquals(waits(client({ id: 1, result: {} })), 0);
  const all = builtinUnderTest("rate_limit", { burst: 1, perSecond: 1, methods: ["a", "b*"] });
  const method = (name: string) => waits(all.client({ id: 1, method: name }));
  assertEquals([method("bx"), method("a"), method("c")], [0, 1000, 0]);
});

Deno.test("rate_limit: the table is bounded, and filling it gives nobody new tokens", () => {
  const { client, clock } = builtinUnderTest("rate_limit", {
    burst: 1,
    perSecond: 1,
    maxBuckets: 2,
  });
  const take = (principal: string) => waits(client(CALL, { principal }));
  assertEquals([take("a"), take("b")], [0, 0]);
  // No bucket is full, so c and d share one, and a is still known.
  assertEquals([take("c"), take("d"), take("a")], [0, 1000, 1000]);
  clock.advance(1000);
  // Only b is full, and it is at the front of the line although a came before it.
  assertEquals([take("a"), take("e"), take("f")], [0, 0, 0]);
});
