import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { type EventLog, MemoryEventLog, watchedLog } from "./mod.ts";

const LIMITS = {
  maxEvents: 10,
  maxBytes: 10_000,
  maxStreamEvents: 10,
  maxStreamBytes: 10_000,
  maxAgeMs: 1_000,
  maxStreams: 10,
};

Deno.test("failures of an event log are told once in a while, and thrown on", async () => {
  const clock = new ManualClock();
  const memory = new MemoryEventLog(clock, LIMITS);
  let slow = false;
  const failing: EventLog = {
    get size() {
      return memory.size;
    },
    append: () => {
      if (slow) return Promise.reject(new Error("late"));
      throw new Error("full");
    },
    appendRun: (stream, seq, bytes, ends) => memory.appendRun(stream, seq, bytes, ends),
    after: (stream, seq, maxBytes) => memory.after(stream, seq, maxBytes),
    forget: (stream) => memory.forget(stream),
    close: () => memory.close(),
  };
  const told: unknown[] = [];
  const log = watchedLog(failing, clock, (error, count) => told.push([String(error), count]));
  for (let times = 0; times < 3; times++) assertThrows(() => log.append("a", []), Error, "full");
  assertEquals(told, [["Error: full", 1]]);
  clock.advance(60_000);
  slow = true;
  await assertRejects(async () => await log.append("a", []), Error, "late");
  assertEquals(told, [["Error: full", 1], ["Error: late", 3]]);
  log.appendRun("a", 1, new Uint8Array(2), [1, 2]);
  const { events } = await log.after("a", 0, 100);
  assertEquals([events.length, log.size], [2, memory.size]);
  await log.forget("a");
  await log.close();
});
