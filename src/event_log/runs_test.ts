import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { LoggedEvent } from "./mod.ts";
import { eventsOfRun } from "./log.ts";
import { bytesOf, type GivenRun, headOf, runsFrom, runsOf } from "./runs.ts";

/** Events whose numbers rise, with holes here and there. */
const EVENTS = fc.array(
  fc.record({
    step: fc.integer({ min: 1, max: 3 }),
    bytes: fc.uint8Array({ maxLength: 5 }),
  }),
  { maxLength: 12 },
).map((steps): LoggedEvent[] => {
  let seq = 0;
  return steps.map(({ step, bytes }) => ({ seq: seq += step, bytes: Uint8Array.from(bytes) }));
});

function eventsOf(runs: readonly GivenRun[]): LoggedEvent[] {
  return runs.flatMap(({ seq, bytes, ends }) => [...eventsOfRun(seq, bytes, ends)]);
}

Deno.test("runsOf() parts events where a number is left out, and loses none", () => {
  fc.assert(fc.property(EVENTS, (events) => {
    const runs = runsOf(events);
    assertEquals(eventsOf(runs), events);
    for (const [at, run] of runs.slice(1).entries()) {
      assertEquals(run.seq > runs[at]!.seq + runs[at]!.ends.length, true);
    }
  }));
});

Deno.test("runsFrom() leaves the events from a number on", () => {
  fc.assert(fc.property(EVENTS, fc.integer({ min: 0, max: 30 }), (events, from) => {
    const left = events.filter(({ seq }) => seq >= from);
    assertEquals(eventsOf(runsFrom(runsOf(events), from)), left);
  }));
});

Deno.test("headOf() and bytesOf() have all that there is to tell of runs", () => {
  const event = (seq: number, ...bytes: number[]) => ({ seq, bytes: Uint8Array.from(bytes) });
  const runs = runsOf([event(3, 1, 2), event(4), event(7, 3)]);
  assertEquals(headOf(runs), "3 2 2 0 7 1 1 ");
  assertEquals(bytesOf(runs), Uint8Array.of(1, 2, 3));
  assertEquals([headOf([]), bytesOf([])], ["", new Uint8Array()]);
});
