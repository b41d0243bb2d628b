import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { MAX_DERIVED, ReadFields } from "./fields.ts";

function kept(list: readonly string[]): ReadFields {
  const fields = new ReadFields(list);
  fields.keep();
  return fields;
}

Deno.test("what is derived from kept fields is made once for each who makes it", () => {
  const fields = kept(["a", "b"]);
  const [one, other] = [{}, {}];
  let made = 0;
  const derive = (by: object) => fields.derived(by, ({ list }) => ({ list, number: made++ }));
  assertStrictEquals(derive(one), derive(one));
  assertEquals([derive(other).number, derive(one).number, made], [1, 0, 2]);
  assertStrictEquals(derive(one).list, fields.list);
});

Deno.test("nothing is kept with fields that are not", () => {
  const fields = new ReadFields([]);
  const derive = () => fields.derived(MAKER, () => ({}));
  assert(derive() !== derive());
});

const MAKER = {};

Deno.test("a bounded number of derived things is kept", () => {
  const fields = kept([]);
  let made = 0;
  const derive = (by: object) => fields.derived(by, () => ({ number: made++ }));
  derive(MAKER);
  for (let count = 1; count < MAX_DERIVED; count++) derive({});
  assertEquals(derive(MAKER).number, 0);
  derive({});
  assertEquals(derive(MAKER).number, MAX_DERIVED + 1);
});
