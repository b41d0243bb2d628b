import { assertEquals } from "@std/assert";
import { renamed, writtenId } from "./names.ts";

Deno.test("R77 an id is looked for as JSON writes it, unless it is too short to be told from other text", () => {
  assertEquals(writtenId('with "quotes" and \\'), 'with \\"quotes\\" and \\\\');
  assertEquals([writtenId("fifteen letters"), writtenId(undefined)], [undefined, undefined]);
});

Deno.test("R77 renamed() puts the one id wherever the other stood, and nothing where there is none", () => {
  assertEquals(renamed("inner, inner", "inner", "$&"), "$&, $&");
  assertEquals(renamed("inner", undefined, "outer"), "inner");
  assertEquals(renamed("inner", "inner", undefined), "inner");
});
