import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ChunkedDecoder, MAX_SIZE_LINE_BYTES, MAX_TRAILER_BYTES } from "./chunked.ts";
import { bytesOf, piecesOf } from "./fuzz_cases.ts";
import { HttpSyntaxError } from "./syntax.ts";

interface Body {
  readonly data: string;
  readonly consumed: number;
  readonly done: boolean;
}

/** The data at the start of the bytes, and how many of them it took over all pieces. */
function decodePieces(bytes: Uint8Array, lengths: readonly number[]): Body {
  const decoder = new ChunkedDecoder();
  let data = "";
  let consumed = 0;
  // A copy, since pieces are decoded in place.
  for (const piece of piecesOf(bytes.slice(), lengths)) {
    const decoded = decoder.decode(piece);
    data += [...piece.subarray(0, decoded.length)].map((byte) => String.fromCharCode(byte)).join(
      "",
    );
    consumed += decoded.consumed;
    if (decoder.done) break;
  }
  return { data, consumed, done: decoder.done };
}

/** Decodes whole and byte by byte, and holds the two against each other. */
function decode(text: string): Body {
  const whole = decodePieces(bytesOf(text), [text.length]);
  assertEquals(decodePieces(bytesOf(text), [1]), whole);
  return whole;
}

/** Fails unless the text is refused, whole and byte by byte. */
function assertRefused(text: string, reason = ""): void {
  for (const length of [text.length, 1]) {
    const refuse = () => decodePieces(bytesOf(text), [length]);
    assertThrows(refuse, HttpSyntaxError, reason);
  }
}

Deno.test("chunks follow one another until one of size 0 (RFC 9112 7.1)", () => {
  const text = "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n";
  assertEquals(decode(text), { data: "hello world", consumed: text.length, done: true });
  assertEquals(decode("0\r\n\r\n"), { data: "", consumed: 5, done: true });
});

Deno.test("sizes are hexadecimal in either case, with zeros before them (RFC 9112 7.1)", () => {
  const data = "a".repeat(0xab);
  for (const size of ["ab", "AB", "aB", "00Ab", "00000000000ab"]) {
    assertEquals(decode(`${size}\r\n${data}\r\n000\r\n\r\n`).data, data);
  }
});

Deno.test("data may be any bytes, framing among them", () => {
  const data = "0\r\n\r\n\0\xff";
  assertEquals(decode(`7\r\n${data}\r\n0\r\n\r\n`).data, data);
});

Deno.test("chunk extensions are read over (RFC 9112 7.1.1)", () => {
  for (const extension of [";a", ";a=b", ';a="b;c"', " ; a = b", "\t;a;b", " ", " \t"]) {
    assertEquals(decode(`1${extension}\r\nx\r\n0${extension}\r\n\r\n`).data, "x");
  }
});

Deno.test("trailers are read over (RFC 9112 7.1.2)", () => {
  const text = "1\r\nx\r\n0\r\nx-sum: 1\r\nx-other: 2\r\n\r\n";
  assertEquals(decode(text), { data: "x", consumed: text.length, done: true });
});

Deno.test("R8 decoding stops at the end of the body, before an answer nobody asked for", () => {
  const body = "1\r\nx\r\n0\r\n\r\n";
  const bytes = bytesOf(`${body}HTTP/1.1 200 OK\r\n\r\n`);
  const decoder = new ChunkedDecoder();
  assertEquals(decoder.decode(bytes), { length: 1, consumed: body.length });
  assertEquals(decoder.done, true);
  const rest = bytes.subarray(body.length);
  assertEquals(rest, bytesOf("HTTP/1.1 200 OK\r\n\r\n"));
  assertEquals(decoder.decode(rest), { length: 0, consumed: 0 });
});

Deno.test("many small chunks in a piece leave as one run at its start", () => {
  const bytes = bytesOf("1;a=b\r\nx\r\n".repeat(500) + "2\r\nyz\r\n0\r\n\r\n");
  assertEquals(new ChunkedDecoder().decode(bytes), { length: 502, consumed: bytes.length });
  assertEquals(bytes.subarray(0, 502), bytesOf("x".repeat(500) + "yz"));
});

Deno.test("data that starts a piece stays where it is, and data over pieces is given piecewise", () => {
  const decoder = new ChunkedDecoder();
  assertEquals(decoder.decode(bytesOf("8\r")), { length: 0, consumed: 2 });
  const first = bytesOf("\nabc");
  assertEquals(decoder.decode(first), { length: 3, consumed: 4 });
  assertEquals(first.subarray(0, 3), bytesOf("abc"));
  const second = bytesOf("defgh\r\n1\r\ni\r\n0\r\n");
  assertEquals(decoder.decode(second), { length: 6, consumed: second.length });
  assertEquals(second.subarray(0, 6), bytesOf("defghi"));
  assertEquals(decoder.done, false);
  assertEquals(decoder.decode(bytesOf("\r\n")), { length: 0, consumed: 2 });
  assertEquals(decoder.done, true);
});

Deno.test("R59 a body that is cut short anywhere is not done, and no error either", () => {
  const text = "5;a\r\nhello\r\n0;b\r\nx: y\r\n\r\n";
  for (let end = 0; end < text.length; end++) {
    const { consumed, done } = decode(text.slice(0, end));
    assertEquals([consumed, done], [end, false]);
  }
  assertEquals(decode(text).done, true);
});

Deno.test("sizes that are no hexadecimal number are refused (RFC 9112 7.1)", () => {
  const sizes = ["", " 5", "-5", "+5", "0x5", "5g", "5.0", "5,5", "\xa05", "\0", "5\0", ";a", "h"];
  for (const size of sizes) assertRefused(`${size}\r\nhello\r\n0\r\n\r\n`, "chunk");
});

Deno.test("a size with anything but an extension behind it is refused (RFC 9112 7.1.1)", () => {
  for (const rest of [" 6", "\t6", " a=b", "  x;a", " \0"]) {
    assertRefused(`5${rest}\r\nhello\r\n0\r\n\r\n`, "chunk size");
  }
});

Deno.test("lines that end in a bare LF are refused (RFC 9112 7.1)", () => {
  assertRefused("5\nhello\r\n0\r\n\r\n");
  assertRefused("5;a\nhello\r\n0\r\n\r\n");
  assertRefused("5 \nhello\r\n0\r\n\r\n");
  assertRefused("5\r\nhello\n0\r\n\r\n");
  assertRefused("0\n\r\n");
  assertRefused("0\r\n\n");
  assertRefused("0\r\nx: y\n\r\n");
});

Deno.test("a CR without LF is refused, in extensions and trailers too (RFC 9112 7.1)", () => {
  assertRefused("5\rhello\r\n0\r\n\r\n");
  assertRefused("5\r\r\nhello\r\n0\r\n\r\n");
  assertRefused("5;a\rb\r\nhello\r\n0\r\n\r\n");
  assertRefused("5\r\nhello\r0\r\n\r\n");
  assertRefused("0\r\n\r0");
  assertRefused("0\r\nx\ry\r\n\r\n");
});

Deno.test("NUL is refused in extensions and trailers", () => {
  assertRefused("5;\0\r\nhello\r\n0\r\n\r\n", "size line");
  assertRefused("0\r\nx: \0\r\n\r\n", "trailer");
  assertRefused("0\r\n\0\r\n\r\n", "trailer");
});

Deno.test("data longer or shorter than its size is refused", () => {
  assertRefused("4\r\nhello\r\n0\r\n\r\n");
  assertRefused("6\r\nhello\r\n0\r\n\r\n");
  assertRefused("4\r\nhello\n0\r\n\r\n");
});

Deno.test("a size has at most 13 digits, so that it stays exact", () => {
  const decoder = new ChunkedDecoder();
  assertEquals(decoder.decode(bytesOf("fffffffffffff\r\nx")), { length: 1, consumed: 16 });
  assertRefused("10000000000000\r\n", "too large");
  assertRefused("00000000000001\r\n", "too large");
});

Deno.test("a size line is refused where it passes its limit, without waiting for its end", () => {
  const line = (bytes: number) => `1;${"a".repeat(bytes - 1)}`;
  assertEquals(decode(`${line(MAX_SIZE_LINE_BYTES)}\r\nx\r\n0\r\n\r\n`).data, "x");
  assertRefused(line(MAX_SIZE_LINE_BYTES + 1), "size line");
  assertRefused(`1${" ".repeat(MAX_SIZE_LINE_BYTES + 1)}`, "size line");
});

Deno.test("the limit on size lines is for each", () => {
  const chunk = `1;${"a".repeat(MAX_SIZE_LINE_BYTES - 1)}\r\nx\r\n`;
  // Four of them are still in proportion, taken together.
  assertEquals(decode(`${chunk.repeat(4)}0\r\n\r\n`).data, "xxxx");
});

Deno.test("trailers are refused where they pass their limit together", () => {
  const trailers = (count: number) => `0\r\n${`${"a".repeat(64)}\r\n`.repeat(count)}`;
  const most = MAX_TRAILER_BYTES / 64;
  assertEquals(decode(`${trailers(most)}\r\n`).done, true);
  assertRefused(`${trailers(most)}a`, "trailers");
  assertRefused(`0\r\n${"a".repeat(MAX_TRAILER_BYTES + 1)}`, "trailers");
});

const splits = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 });
const padding = fc.string({ unit: fc.constantFrom(" ", "\t"), maxLength: 2 });
const name = fc.string({ unit: fc.constantFrom(..."ab0-"), minLength: 1, maxLength: 5 });
const extension = fc.tuple(padding, padding, name, padding, fc.constantFrom("", "=c", '="d; e"'))
  .map(([before, after, key, behind, value]) => `${before};${after}${key}${behind}${value}`);
const sizeLine = (size: number) =>
  fc.tuple(fc.nat(4), fc.boolean(), fc.array(extension, { maxLength: 2 }), padding)
    .map(([zeros, upper, extensions, end]) => {
      const digits = size.toString(16);
      const shown = upper ? digits.toUpperCase() : digits;
      return `${"0".repeat(zeros)}${shown}${extensions.join("")}${end}\r\n`;
    });
const chunk = fc.string({
  unit: fc.nat(255).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 40,
}).chain((data) => sizeLine(data.length).map((line) => ({ data, text: `${line}${data}\r\n` })));
const trailer = fc.tuple(name, fc.string({ unit: fc.constantFrom(..."a :\t\xff") }))
  .map(([key, value]) => `${key}:${value}\r\n`);
const generated = fc.tuple(fc.array(chunk), sizeLine(0), fc.array(trailer, { maxLength: 3 }))
  .map(([chunks, last, trailers]) => ({
    data: chunks.map(({ data }) => data).join(""),
    text: `${chunks.map(({ text }) => text).join("")}${last}${trailers.join("")}\r\n`,
  }));

Deno.test("a generated body is read back, with any bytes behind it and however it is split", () => {
  fc.assert(
    fc.property(generated, fc.uint8Array(), splits, ({ data, text }, rest, lengths) => {
      const bytes = new Uint8Array([...bytesOf(text), ...rest]);
      const expected = { data, consumed: text.length, done: true };
      assertEquals(decodePieces(bytes, [bytes.length]), expected);
      assertEquals(decodePieces(bytes, lengths), expected);
      assertEquals(decodePieces(bytes, [1]), expected);
    }),
  );
});

Deno.test("R59 a generated body that is cut short is never done", () => {
  fc.assert(fc.property(generated, fc.nat(), splits, ({ data, text }, cut, lengths) => {
    const part = decodePieces(bytesOf(text.slice(0, cut % text.length)), lengths);
    assertEquals([part.done, data.startsWith(part.data)], [false, true]);
  }));
});

Deno.test("decoding touches nothing behind the end of the body", () => {
  fc.assert(fc.property(generated, fc.uint8Array(), ({ text }, rest) => {
    const bytes = new Uint8Array([...bytesOf(text), ...rest]);
    const { consumed } = new ChunkedDecoder().decode(bytes);
    assertEquals(bytes.subarray(consumed), rest);
  }));
});

Deno.test("long extensions on small chunks are refused in the long run, on large ones they are not", () => {
  const chunks = (data: number) =>
    new TextEncoder().encode(
      `${data.toString(16)};${"x".repeat(4_000)}\r\n${"d".repeat(data)}\r\n`.repeat(50),
    );
  assertThrows(() => new ChunkedDecoder().decode(chunks(1)), HttpSyntaxError, "proportion");
  assertEquals(new ChunkedDecoder().decode(chunks(2_000)).length, 50 * 2_000);
});
