import { assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { IdleWatch } from "./idle_watch.ts";

/** One that is watched, and how often it was found idle. */
function watched() {
  const clock = new ManualClock();
  const state = { clock, busy: false, found: 0 };
  const watch = new IdleWatch({
    clock,
    idleMs: 100,
    isBusy: () => state.busy,
    onIdle: () => void state.found++,
  });
  return { state, clock, watch };
}

Deno.test("IdleWatch finds what nobody has used for so long, once", () => {
  const { state, clock, watch } = watched();
  watch.start();
  clock.advance(99);
  assertEquals([watch.idleMs, state.found], [99, 0]);
  clock.advance(1);
  clock.advance(1_000);
  assertEquals(state.found, 1);
});

Deno.test("IdleWatch looks again where it was used meanwhile, or is busy", () => {
  const { state, clock, watch } = watched();
  watch.start();
  clock.advance(60);
  watch.touch();
  clock.advance(40);
  assertEquals([watch.idleMs, state.found], [40, 0]);
  state.busy = true;
  clock.advance(100);
  assertEquals([watch.idleMs, state.found], [undefined, 0]);
  state.busy = false;
  clock.advance(100);
  assertEquals(state.found, 1);
});

Deno.test("IdleWatch counts from the end of a call, also of one that fails", async () => {
  const { clock, watch } = watched();
  watch.start();
  const done = Promise.withResolvers<void>();
  const call = watch.during(() => done.promise).catch(() => {});
  clock.advance(50);
  assertEquals(watch.idleMs, undefined);
  done.reject(new Error("it fails"));
  await call;
  assertEquals(watch.idleMs, 0);
  watch.stop();
});

Deno.test("IdleWatch finds nothing once it was stopped, nor where it starts behind that", () => {
  const { state, clock, watch } = watched();
  watch.start();
  watch.stop();
  watch.start();
  clock.advance(1_000);
  assertEquals([state.found, clock.timers], [0, 0]);
});
