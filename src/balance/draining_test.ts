import { assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { Draining } from "./draining.ts";

function drained() {
  const clock = new ManualClock();
  const told = { emptied: 0 };
  return { clock, told, draining: new Draining(clock, () => void told.emptied++) };
}

Deno.test("Draining: sessions stay for so long, then go elsewhere, which is told once", () => {
  const { clock, told, draining } = drained();
  assertEquals([draining.isOn, draining.isEmptied], [false, false]);
  draining.begin(100);
  clock.advance(99);
  assertEquals([draining.isOn, draining.isEmptied, told.emptied], [true, false, 0]);
  clock.advance(1);
  assertEquals([draining.isOn, draining.isEmptied, told.emptied], [true, true, 1]);
});

Deno.test("Draining: they stay for good where nothing else is said", () => {
  const { clock, draining } = drained();
  draining.begin(Infinity);
  clock.advance(1e9);
  assertEquals([draining.isOn, draining.isEmptied, clock.timers], [true, false, 0]);
});

Deno.test("Draining: its end is told nobody, and a second beginning counts anew", () => {
  const { clock, told, draining } = drained();
  draining.begin(100);
  clock.advance(60);
  draining.begin(100);
  clock.advance(60);
  assertEquals([draining.isEmptied, told.emptied], [false, 0]);
  draining.end();
  clock.advance(1_000);
  assertEquals([draining.isOn, draining.isEmptied, told.emptied], [false, false, 0]);
});

Deno.test("Draining: a target that is none any more stays drained, and nobody is told", () => {
  const { clock, told, draining } = drained();
  draining.begin(100);
  draining.forget();
  clock.advance(100);
  assertEquals([draining.isOn, draining.isEmptied, told.emptied], [true, true, 0]);
});
