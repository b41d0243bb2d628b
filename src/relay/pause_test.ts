import { assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { settled } from "../testing/relay.ts";
import { pause } from "./pause.ts";

/** A signal that counts who listens to it. */
class CountingSignal {
  aborted = false;
  readonly listeners = new Set<() => void>();
  addEventListener(_type: "abort", listener: () => void): void {
    this.listeners.add(listener);
  }
  removeEventListener(_type: "abort", listener: () => void): void {
    this.listeners.delete(listener);
  }
}

Deno.test("pause() waits its time, and leaves no listener behind however often it is called", async () => {
  const clock = new ManualClock();
  const signal = new CountingSignal();
  for (let times = 0; times < 100; times++) {
    let isOver = false;
    const waiting = pause(clock, 1_000, signal).then(() => isOver = true);
    clock.advance(999);
    await settled();
    assertEquals([isOver, signal.listeners.size], [false, 1]);
    clock.advance(1);
    await waiting;
  }
  assertEquals([signal.listeners.size, clock.timers], [0, 0]);
});

Deno.test("pause() ends when the signal is aborted, and at once where it was, with its timer", async () => {
  const clock = new ManualClock();
  const signal = new CountingSignal();
  const waiting = pause(clock, 1_000, signal);
  for (const listener of signal.listeners) listener();
  await waiting;
  signal.aborted = true;
  await pause(clock, 1_000, signal);
  assertEquals([signal.listeners.size, clock.timers], [0, 0]);
});
