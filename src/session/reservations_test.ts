import { assertEquals } from "@std/assert";
import { Reservations } from "./reservations.ts";

Deno.test("R85 a place is let go of once, however often that is said", () => {
  const places = new Reservations();
  const [first, second] = [places.take("a"), places.take("a")];
  const other = places.take("b");
  assertEquals([places.size, places.countOf("a"), places.countOf("b")], [3, 2, 1]);
  first();
  first();
  assertEquals([places.size, places.countOf("a"), places.countOf("b")], [2, 1, 1]);
  second();
  other();
  assertEquals([places.size, places.countOf("a"), places.countOf("b")], [0, 0, 0]);
});
