import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { inwardId, outwardId, UNNAMED } from "./target_ids.ts";

const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/);

Deno.test("an id goes out with its target in front and comes back as it was", () => {
  fc.assert(fc.property(name, fc.string({ unit: "binary" }), (target, id) => {
    const outward = outwardId(target, id);
    assert(outward.length - id.length <= 33);
    assertEquals(inwardId(outward), { target, id });
  }));
});

Deno.test("the one target without a name has nothing in front of its ids", () => {
  assertEquals(outwardId(UNNAMED, "a.b"), "a.b");
});

Deno.test("an id without a name in front belongs to nobody", () => {
  for (const id of ["", "abc", ".", ".abc"]) assertEquals(inwardId(id), undefined);
  assertEquals(inwardId("a."), { target: "a", id: "" });
});
