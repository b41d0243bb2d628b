import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { configJsonSchema } from "../config/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { EVENT_OVERHEAD_BYTES, type EventLogLimits, MemoryEventLog } from "./mod.ts";

const LIMITS: EventLogLimits = {
  maxEvents: 1_000,
  maxBytes: 4_000_000,
  maxStreamEvents: 1_000,
  maxStreamBytes: 2_000_000,
  maxAgeMs: 1_000,
  maxStreams: 1_000,
};

/** The memory behind all that a log holds of some streams. */
function heldBytes(log: MemoryEventLog, streams: Iterable<string>): number {
  const buffers = new Set<ArrayBuffer>();
  for (const stream of streams) {
    for (const { bytes } of log.after(stream, 0, Infinity).events) buffers.add(bytes.buffer);
  }
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

Deno.test("a small event holds no large buffer: neither the one it came in nor one of the log", () => {
  const log = new MemoryEventLog(new ManualClock(), LIMITS);
  const read = new Uint8Array(65_536);
  log.append("a", [{ seq: 1, bytes: read.subarray(100, 110) }]);
  assertEquals(heldBytes(log, ["a"]), 10);
  // A stream that was large, of which the others leave the newest event alone.
  for (let seq = 2; seq <= 999; seq++) log.append("a", [{ seq, bytes: read.subarray(0, 500) }]);
  log.append("a", [{ seq: 1_000, bytes: read.subarray(0, 10) }]);
  assert(heldBytes(log, ["a"]) < 700_000);
  for (let seq = 1; seq <= 999; seq++) log.append("b", [{ seq, bytes: read.subarray(0, 1) }]);
  assertEquals(log.after("a", 0, 1_000).events.map(({ seq }) => seq), [1_000]);
  const held = heldBytes(log, ["a"]);
  assert(held <= EVENT_OVERHEAD_BYTES + 10, `${held} bytes`);
});

Deno.test("a buffer made for a large stream is given back when the stream has become small", () => {
  // One of these counts has the last event in a buffer of its own, made when the stream was large.
  for (let count = 700; count <= 900; count++) {
    const log = new MemoryEventLog(new ManualClock(), LIMITS);
    for (let seq = 1; seq <= count; seq++) log.append("a", [{ seq, bytes: new Uint8Array(500) }]);
    for (let seq = 1; seq <= 999; seq++) log.append("b", [{ seq, bytes: new Uint8Array() }]);
    const held = heldBytes(log, ["a"]);
    assert(held <= 3 * (500 + EVENT_OVERHEAD_BYTES), `${held} bytes after ${count}`);
  }
});

Deno.test("a large event that has gone leaves nothing behind in the buffer of a small one", () => {
  const log = new MemoryEventLog(new ManualClock(), { ...LIMITS, maxStreamEvents: 2 });
  const [small, large] = [new Uint8Array(10), new Uint8Array(500_000)];
  log.append("a", [{ seq: 1, bytes: large }, { seq: 2, bytes: small }, { seq: 3, bytes: small }]);
  assertEquals(heldBytes(log, ["a"]), 20);
});

Deno.test("the buffers of a log take at most three times the bytes it counts", () => {
  const clock = new ManualClock();
  const size = fc.oneof(
    fc.integer({ min: 0, max: 50 }),
    fc.integer({ min: 100, max: 2_000 }),
    fc.integer({ min: 5_000, max: 90_000 }),
  );
  const append = fc.record({
    stream: fc.constantFrom("a", "b", "c"),
    sizes: fc.array(size, { minLength: 1, maxLength: 30, size: "max" }),
    times: fc.integer({ min: 1, max: 40 }),
    advanceMs: fc.constantFrom(0, 0, 0, 400),
  });
  const maxEvents = fc.integer({ min: 1, max: 300 });
  fc.assert(
    fc.property(
      fc.array(append, { maxLength: 20, size: "max" }),
      maxEvents,
      (appends, maxEvents) => {
        const log = new MemoryEventLog(clock, { ...LIMITS, maxEvents });
        const newest = new Map<string, number>();
        for (const { stream, sizes, times, advanceMs } of appends) {
          let seq = newest.get(stream) ?? 0;
          for (let time = 0; time < times; time++) {
            log.append(stream, sizes.map((size) => ({ seq: ++seq, bytes: new Uint8Array(size) })));
          }
          newest.set(stream, seq);
          clock.advance(advanceMs);
          const held = heldBytes(log, newest.keys());
          assert(held <= 3 * log.size.bytes, `${held} for ${log.size.bytes}`);
        }
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("events that were handed out stay as they are when the log moves on", () => {
  const log = new MemoryEventLog(new ManualClock(), { ...LIMITS, maxStreamEvents: 3 });
  const handedOut: Uint8Array[] = [];
  for (let seq = 1; seq <= 500; seq++) {
    log.append("a", [{ seq, bytes: new Uint8Array(seq % 70).fill(seq) }]);
    handedOut.push(log.after("a", seq - 1, 1).events[0]!.bytes);
  }
  handedOut.forEach((bytes, index) => {
    assertEquals(bytes, new Uint8Array((index + 1) % 70).fill(index + 1));
  });
});

Deno.test("the config tells what an event is counted at beside its bytes", () => {
  const { properties } = JSON.parse(configJsonSchema());
  for (const key of ["maxBytes", "maxStreamBytes"]) {
    const { description } = properties.eventLog.properties[key];
    assert(description.includes(`with ${EVENT_OVERHEAD_BYTES} for each event`), description);
  }
});
