import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { inwardId, outwardId, targetOfId, UNNAMED } from "./session_id.ts";

Deno.test("an id goes out with its target in front and comes back as it was", () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/);
  const id = fc.stringMatching(/^[\x20-\x7e\x80-\xff]*$/);
  fc.assert(fc.property(name, id, (target, id) => {
    const outward = outwardId(target, id);
    assert(outward.length - id.length <= 33);
    assertEquals([targetOfId(outward), inwardId(outward)], [target, id]);
    assertEquals([outwardId(UNNAMED, id), targetOfId(id), inwardId(id)], [id, UNNAMED, id]);
  }));
});

Deno.test("a full stop or a dash in a server's id is no name in front", () => {
  for (const id of ["", "a.b", "a-b", "."]) {
    assertEquals([targetOfId(id), inwardId(id)], [UNNAMED, id]);
  }
});
