import { assertEquals } from "@std/assert";
import { MAX_MESSAGES, Overlap } from "./overlap.ts";

Deno.test("what comes on both subscriptions passes once, whichever is first", () => {
  const overlap = new Overlap();
  const passed = (["older", "newer", "newer", "older", "older"] as const)
    .map((side) => overlap.passes(side, "a"));
  assertEquals(passed, [true, false, true, false, true]);
  assertEquals(overlap.passes("newer", "b"), true);
});

Deno.test("R82 messages that are told apart are bounded; those beyond pass", () => {
  const overlap = new Overlap();
  for (let at = 0; at < MAX_MESSAGES; at++) overlap.passes("older", `${at}`);
  assertEquals(overlap.passes("older", "more"), true);
  assertEquals(overlap.passes("newer", "more"), true);
  assertEquals(overlap.passes("newer", "0"), false);
});
