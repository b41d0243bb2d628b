import { assertEquals } from "@std/assert";
import { Place, UseOrder } from "./use_order.ts";

Deno.test("UseOrder has the one first that was not used for longest", () => {
  const order = new UseOrder<string>();
  assertEquals(order.first, undefined);
  const [a, b, c] = [new Place("a"), new Place("b"), new Place("c")];
  for (const place of [a, b, c]) order.putLast(place);
  assertEquals(order.first, "a");
  order.putLast(a);
  assertEquals(order.first, "b");
  order.putLast(c);
  b.leave();
  assertEquals(order.first, "a");
  order.putLast(a);
  b.leave();
  assertEquals(order.first, "c");
  c.leave();
  assertEquals(order.first, "a");
  a.leave();
  assertEquals(order.first, undefined);
});

Deno.test("a Place is in one order at a time", () => {
  const [one, other] = [new UseOrder<string>(), new UseOrder<string>()];
  const place = new Place("a");
  one.putLast(place);
  other.putLast(place);
  assertEquals([one.first, other.first], [undefined, "a"]);
});
