import { assert, assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { LocalLocks } from "./local_locks.ts";

Deno.test("take() lets the next in when the time is up, and who comes late gives back nothing", () => {
  const clock = new ManualClock();
  const locks = new LocalLocks(clock);
  const late = locks.take("a", 1_000);
  clock.advance(999);
  assertEquals(locks.take("a", 1_000), undefined);
  clock.advance(1);
  const next = locks.take("a", 1_000);
  assert(next !== undefined);
  late!();
  assertEquals(locks.take("a", 1_000), undefined);
  next();
  assert(locks.take("a", 1_000) !== undefined);
  assertEquals(clock.timers, 0);
});

Deno.test("locks are bounded; those that were held too long make room", () => {
  const clock = new ManualClock();
  const locks = new LocalLocks(clock, 3);
  locks.take("short", 10);
  locks.take("a", 100);
  locks.take("b", 100);
  assertEquals(locks.take("c", 100), undefined);
  clock.advance(10);
  assert(locks.take("c", 100) !== undefined);
  assertEquals(locks.take("d", 100), undefined);
  clock.advance(100);
  locks.sweep();
  for (const key of ["d", "e", "f"]) assert(locks.take(key, 100) !== undefined);
});
