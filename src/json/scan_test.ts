import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { elements, members, nestingWithin } from "./scan.ts";

Deno.test("members() finds keys and values where JSON.parse finds them, whatever the spacing", () => {
  const space = fc.constantFrom("", " ", "\n", "\t\r\n ");
  fc.assert(fc.property(
    fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()),
    space,
    (object, gap) => {
      const body = Object.entries(object)
        .map(([key, value]) =>
          `${gap}${JSON.stringify(key)}${gap}:${gap}${JSON.stringify(value, null, gap)}${gap}`
        )
        .join(",");
      const text = `${gap}{${gap}${body}}${gap}`;
      const found = members(text).map((
        { key, start, end },
      ) => [key, JSON.parse(text.slice(start, end))]);
      const expected = Object.entries(object)
        .map(([key, value]) => [key, JSON.parse(JSON.stringify(value))]);
      assertEquals(found, expected);
    },
  ));
});

Deno.test("members() reports duplicates, and keys unescaped", () => {
  const keys = members('{"a":1,"\\u0061":[{"a":2}],"a":"}"}').map(({ key }) => key);
  assertEquals(keys, ["a", "a", "a"]);
});

Deno.test("members() gives the exact text of a value", () => {
  const text = '{"a": 1.0 ,"b":-0e+2,"c":"\\\\\\"" , "d":null}';
  assertEquals(
    members(text).map(({ start, end }) => text.slice(start, end)),
    ["1.0", "-0e+2", '"\\\\\\""', "null"],
  );
});

Deno.test("elements() finds the elements of an array", () => {
  const text = ' [ {"a":[1,2]} , 3,"]" ]';
  assertEquals(
    elements(text).map(({ start, end }) => text.slice(start, end)),
    ['{"a":[1,2]}', "3", '"]"'],
  );
  assertEquals(elements("[]"), []);
});

Deno.test("R26 nestingWithin() counts arrays and objects, and nothing inside strings", () => {
  assertEquals(nestingWithin('[{"a":[]}]', 3), true);
  assertEquals(nestingWithin('[{"a":[]}]', 2), false);
  assertEquals(nestingWithin('"[[[[["', 0), true);
  assertEquals(nestingWithin('["\\"[[["]', 1), true);
  assertEquals(nestingWithin("[".repeat(1_000_000), 128), false);
});

Deno.test("nestingWithin() takes text that is no JSON, without end or sense", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("{", "}", "[", "]", '"', "\\", ",") }),
      (text) => {
        nestingWithin(text, 5);
      },
    ),
  );
});
