import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { methodForLog, ODD_METHOD } from "./method_name.ts";

Deno.test("names of methods are told as they are (R96)", () => {
  const names = ["a", "tools/call", "notifications/x_1", "$/x.y-z", "0/9", "AZ", "x".repeat(64)];
  assertEquals(names.map(methodForLog), names);
});

Deno.test("no other text is told", () => {
  const odd = [
    "",
    "x".repeat(65),
    "a b",
    "a\n",
    "a\u001b[31m",
    "a:b",
    "a,b",
    "a@b",
    "a[b",
    "a`b",
    "a{b",
    "é",
    "\u2100",
  ];
  for (const text of odd) assertEquals(methodForLog(text), ODD_METHOD, text);
});

Deno.test("what is no method is not told either", () => {
  for (const none of [undefined, null, 1, {}, ["a"]]) assertEquals(methodForLog(none), undefined);
});

Deno.test("the loop says what a pattern says", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
    const isPlain = /^[\w/.$-]{1,64}$/.test(text);
    assertEquals(methodForLog(text), isPlain ? text : ODD_METHOD);
  }));
  for (let code = 0; code <= 0xffff; code++) {
    const text = String.fromCharCode(code);
    assertEquals(methodForLog(text) === text, /^[\w/.$-]$/.test(text), `character ${code}`);
  }
});
