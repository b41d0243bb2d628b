import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { LineReader, LineTooLongError } from "./lines.ts";

function bytes(text: string) {
  return new TextEncoder().encode(text);
}

function read(reader: LineReader, ...pieces: readonly string[]): string[] {
  const lines = pieces.flatMap((piece) => [...reader.feed(bytes(piece))]);
  return lines.map((line) => new TextDecoder().decode(line));
}

Deno.test("lines are the same however the bytes come", () => {
  const text = "one\ntwo\r\n\n\u{1f600} vier\nrest";
  fc.assert(fc.property(fc.array(fc.nat(text.length)), (cuts) => {
    const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
    const pieces = at.slice(1).map((end, n) => bytes(text).subarray(at[n], end));
    pieces.push(bytes(text).subarray(text.length));
    const reader = new LineReader(100, "refuse");
    const lines = pieces.flatMap((piece) => [...reader.feed(piece)]);
    const decoded = [...lines, reader.rest()!].map((line) => new TextDecoder().decode(line));
    assertEquals(decoded, ["one", "two", "", "\u{1f600} vier", "rest"]);
  }));
});

Deno.test("R42 a line over the cap is an error, or is cut", () => {
  const refusing = new LineReader(5, "refuse");
  assertEquals(read(refusing, "12345\n123", "45\n"), ["12345", "12345"]);
  assertThrows(() => read(refusing, "123", "456"), LineTooLongError);
  const cutting = new LineReader(5, "cut");
  assertEquals(read(cutting, "1234", "567", "89\n1\n", "1234567\n"), ["12345", "1", "12345"]);
});

Deno.test("a line that drips in is kept in a buffer that doubles", () => {
  const reader = new LineReader(1_000_000, "refuse");
  const piece = bytes("x");
  for (let n = 0; n < 300_000; n++) for (const _ of reader.feed(piece)) throw new Error("no line");
  assertEquals([...reader.feed(bytes("\n"))][0]!.length, 300_000);
});
