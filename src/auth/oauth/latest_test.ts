import { assertEquals } from "@std/assert";
import { Latest } from "./latest.ts";

Deno.test("Latest holds so many and no more, and lets the one go that was not used for longest", () => {
  const latest = new Latest<number>(3);
  for (const name of ["a", "b", "c"]) latest.set(name, 1);
  assertEquals(latest.get("a"), 1);
  latest.set("b", 2);
  latest.set("d", 1);
  assertEquals(["a", "b", "c", "d"].map((name) => latest.get(name)), [1, 2, undefined, 1]);
  latest.delete("d");
  assertEquals([latest.get("d"), latest.size], [undefined, 2]);
});
