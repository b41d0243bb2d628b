import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { encodeHead, fieldLines } from "./encode.ts";

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

Deno.test("encodeHead() writes what stands before the fields, the fields, what stands behind, and the body", () => {
  const head = encodeHead({
    before: ["HTTP/1.1 200 OK\r\n", "x: y\r\n"],
    fields: ["content-type", "a/b", "empty", ""],
    behind: ["content-length: ", "2", "\r\n\r\n"],
  }, Uint8Array.of(1, 255));
  assertEquals(
    text(head),
    "HTTP/1.1 200 OK\r\nx: y\r\ncontent-type: a/b\r\nempty: \r\ncontent-length: 2\r\n\r\n\x01\xff",
  );
});

Deno.test("encodeHead() writes the fields as fieldLines() has them, a byte for each character", () => {
  const sound = fc.string({
    unit: fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 800,
  });
  fc.assert(fc.property(fc.array(fc.tuple(sound, sound)), sound, (pairs, more) => {
    const fields = pairs.flat();
    const body = Uint8Array.from(more, (character) => character.charCodeAt(0));
    const bytes = encodeHead({ before: ["a"], fields, behind: ["b"] }, body);
    assertEquals(text(bytes), `a${fieldLines(fields)}b${more}`);
  }));
});

Deno.test("R16 a control character, or more than a byte, in a name or a value is an error; a tab is none", () => {
  for (let code = 0; code < 0x120; code++) {
    const odd = `a${String.fromCharCode(code)}b`;
    const isUnsound = (code < 0x20 && code !== 9) || code === 0x7f || code > 0xff;
    for (const fields of [[odd, "v"], ["n", odd]]) {
      for (const write of [fieldLines, (list: string[]) => encodeHead(parts(list))]) {
        if (isUnsound) assertThrows(() => write(fields), TypeError, "holds control characters");
        else write(fields);
      }
    }
  }
});

function parts(fields: readonly string[]) {
  return { before: [], fields, behind: [] };
}
