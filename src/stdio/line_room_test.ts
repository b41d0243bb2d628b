import { assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import { type Found, LineRoom, type PlaceKind } from "./line_room.ts";

const { settled } = relay;

function room() {
  const clock = new ManualClock();
  const places = new LineRoom({ clock, maxUnderWay: 2, patienceMs: 100 });
  const found: Found[] = [];
  const take = async (kind: PlaceKind) => void found.push(await places.take(kind));
  return {
    clock,
    places,
    found,
    take,
    told: () => found.map((one) => typeof one === "string" ? one : "place"),
  };
}

Deno.test("R50 take() gives calls and replies as many places each, and none beyond them", async () => {
  const { clock, places, found, take, told } = room();
  for (const kind of ["call", "call", "reply", "reply"] as const) await take(kind);
  void take("reply");
  clock.advance(10_000);
  await settled();
  assertEquals(told(), ["place", "place", "place", "place"]);
  // What a reply waits for comes free with a reply alone.
  (found[0] as () => void)();
  await settled();
  assertEquals(found.length, 4);
  (found[2] as () => void)();
  await settled();
  assertEquals(found.length, 5);
  places.stop();
});

Deno.test("take() waits for a call's place, once in vain for all that come before one is free", async () => {
  const { clock, places, found, take, told } = room();
  await take("call");
  await take("call");
  void take("call");
  clock.advance(99);
  await settled();
  assertEquals(found.length, 2);
  clock.advance(1);
  await settled();
  await take("call");
  assertEquals(told().slice(2), ["full", "full"]);
  (found[0] as () => void)();
  await take("call");
  void take("call");
  await settled();
  assertEquals(told().slice(4), ["place"]);
  places.stop();
  await settled();
  assertEquals(told().slice(5), ["stopped"]);
  assertEquals(clock.timers, 0);
});
