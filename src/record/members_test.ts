import { assert, assertEquals } from "@std/assert";
import { stringMembers } from "./members.ts";

function read(text: string): [string, string][] {
  return stringMembers(text).map(({ key, start, end }) => [key, text.slice(start, end)]);
}

Deno.test("stringMembers() finds members whose value is a string, however deep", () => {
  assertEquals(read('{"a":"1","b":2,"c":{"d" : "x\\"y"},"e":["f"]}'), [
    ["a", "1"],
    ["d", 'x\\"y'],
  ]);
});

Deno.test("stringMembers() looks into JSON inside of strings, however often it is escaped", () => {
  const text = JSON.stringify({ key: 'a"b', next: "c\\", last: "d" });
  let depth = text;
  for (let level = 0; level < 5; level++, depth = JSON.stringify({ inner: depth })) {
    const found = read(depth).filter(([key]) => key !== "inner");
    const unescaped = found.map(([key, value]) => {
      for (let times = 0; times <= level; times++) value = JSON.parse(`"${value}"`);
      return [key, value];
    });
    assertEquals(unescaped, [["key", 'a"b'], ["next", "c\\"], ["last", "d"]], `level ${level}`);
  }
});

Deno.test("stringMembers() takes a value that breaks off, and an escaped key", () => {
  assertEquals(read('{"token":"abc'), [["token", "abc"]]);
  assertEquals(read('{"\\u0074oken":"abc"}'), [["token", "abc"]]);
  assertEquals(read('{"a":\ndata: "b"}'), [["a", "b"]]);
});

Deno.test("stringMembers() is done with hostile text in time that grows with it", () => {
  const startedMs = performance.now();
  for (const text of ['"'.repeat(200_000), "\\".repeat(200_000), '\\"a'.repeat(70_000)]) read(text);
  assert(performance.now() - startedMs < 3_000);
});
