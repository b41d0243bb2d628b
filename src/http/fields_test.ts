import { assertEquals, assertStrictEquals } from "@std/assert";
import { MAX_DERIVED, ReadFields } from "./fields.ts";

Deno.test("what is derived from fields is made once for each who makes it", () => {
  const fields = new ReadFields(["a", "b"]);
  const [one, other] = [{}, {}];
  let made = 0;
  const derive = (by: object) => fields.derived(by, ({ list }) => ({ list, number: made++ }));
  assertStrictEquals(derive(one), derive(one));
  assertEquals([derive(other).number, derive(one).number, made], [1, 0, 2]);
  assertStrictEquals(derive(one).list, fields.list);
});

Deno.test("a bounded number of derived things is kept", () => {
  const fields = new ReadFields([]);
  const kept = {};
  let made = 0;
  const derive = (by: object) => fields.derived(by, () => ({ number: made++ }));
  derive(kept);
  for (let count = 1; count < MAX_DERIVED; count++) derive({});
  assertEquals(derive(kept).number, 0);
  derive({});
  assertEquals(derive(kept).number, MAX_DERIVED + 1);
});
