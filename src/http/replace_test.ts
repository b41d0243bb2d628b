import { assertEquals, assertStrictEquals } from "@std/assert";
import { Replacement } from "./mod.ts";

const replaceText = (bytes: Uint8Array, from: string, to: string) =>
  new Replacement(from, to).apply(bytes);

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (from: Uint8Array) => new TextDecoder().decode(from);

Deno.test("Replacement replaces every place, and leaves other bytes as they are", () => {
  assertEquals(
    text(replaceText(bytes("é-inner-ü-inner"), "inner", "$&outer")),
    "é-$&outer-ü-$&outer",
  );
  const odd = Uint8Array.of(0xff, 0x61, 0x00, 0xfe);
  assertEquals(replaceText(odd, "a", "bc"), Uint8Array.of(0xff, 0x62, 0x63, 0x00, 0xfe));
});

Deno.test("Replacement gives the very same bytes where there is nothing to replace", () => {
  for (const one of [bytes(""), bytes("inne"), bytes("something else")]) {
    assertStrictEquals(replaceText(one, "inner", "outer"), one);
  }
});

Deno.test("Replacement looks at its own part of a buffer alone", () => {
  const part = bytes("inner text inner").subarray(5, 11);
  assertStrictEquals(replaceText(part, "inner", "outer"), part);
});
