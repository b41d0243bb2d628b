import { assertEquals, assertLess, assertThrows } from "@std/assert";
import fc from "fast-check";
import { bytesOf, piecesOf } from "./fuzz_cases.ts";
import { type AnswerHead, AnswerHeadReader, MAX_ANSWER_FIELDS } from "./answer_head.ts";
import { MAX_HEAD_BYTES, trimOws } from "./head.ts";
import { HttpSyntaxError } from "./syntax.ts";

/** A head with its fields as pairs. */
function plain({ minor, status, fields }: AnswerHead) {
  const pairs: (readonly [string, string])[] = [];
  fields.forEach((value, name) => pairs.push([name, value]));
  return { minor, status, fields: pairs };
}

/** The head at the start of `bytes`, and how many of them it took over all pieces. */
function readPieces(bytes: Uint8Array, lengths: readonly number[]) {
  const reader = new AnswerHeadReader();
  let before = 0;
  for (const piece of piecesOf(bytes, lengths)) {
    const result = reader.feed(piece);
    if (result !== undefined) {
      return { head: plain(result.head), consumed: before + result.consumed };
    }
    before += piece.length;
  }
  return undefined;
}

/** Reads a head whole and byte by byte, and holds the two against each other. */
function read(text: string): ReturnType<typeof plain> | undefined {
  const whole = readPieces(bytesOf(text), [text.length]);
  assertEquals(readPieces(bytesOf(text), [1]), whole);
  return whole?.head;
}

/** Fails unless the text is refused, whole and byte by byte. */
function assertRefused(text: string, reason: string): void {
  for (const length of [text.length, 1]) {
    const refuse = () => readPieces(bytesOf(text), [length]);
    assertThrows(refuse, HttpSyntaxError, reason);
  }
}

const withField = (line: string) => `HTTP/1.1 200 OK\r\n${line}\r\n\r\n`;

Deno.test("a head is status line and fields, names in lower case (RFC 9112 2.1, 9110 5.1)", () => {
  assertEquals(read("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX-Y:z\r\n\r\nbody"), {
    minor: 1,
    status: 200,
    fields: [["content-type", "a/b"], ["x-y", "z"]],
  });
});

Deno.test("a head may have no fields, and a field no value (RFC 9112 5)", () => {
  assertEquals(read("HTTP/1.0 204 \r\n\r\n"), { minor: 0, status: 204, fields: [] });
  assertEquals(read(withField("x:"))?.fields, [["x", ""]]);
  assertEquals(read(withField("x: \t "))?.fields, [["x", ""]]);
});

Deno.test("repeated fields stay apart and in order (RFC 9110 5.3)", () => {
  const fields = read(withField("Set-Cookie: a=1\r\nx: 1\r\nset-cookie: b=2"))?.fields;
  assertEquals(fields, [["set-cookie", "a=1"], ["x", "1"], ["set-cookie", "b=2"]]);
});

Deno.test("spaces and tabs around a value fall away, nothing else does (RFC 9112 5.1)", () => {
  assertEquals(read(withField("x: \t a \t b \t "))?.fields, [["x", "a \t b"]]);
  assertEquals(read(withField("x: \xa0a\xa0"))?.fields, [["x", "\xa0a\xa0"]]);
  assertEquals(trimOws(" \t"), "");
});

Deno.test("bytes from 0x80 on stand in values and reasons, one character each (RFC 9110 5.5)", () => {
  assertEquals(read("HTTP/1.1 200 \xc3\xbc\r\nx: \x80\xff\r\n\r\n")?.fields, [["x", "\x80\xff"]]);
});

Deno.test("a colon in a value is part of it", () => {
  assertEquals(read(withField("location: http://a:1/"))?.fields, [["location", "http://a:1/"]]);
});

Deno.test("reason phrases may be empty or missing with their space (RFC 9112 4)", () => {
  for (const line of ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200  a\tb "]) {
    assertEquals(read(`${line}\r\n\r\n`)?.status, 200);
  }
});

Deno.test("status lines that RFC 9112 4 does not allow are refused", () => {
  const lines = [
    "",
    "HTTP/2 200 OK",
    "HTTP/2.0 200 OK",
    "HTTP/1.2 200 OK",
    "HTTP/1.10 200 OK",
    "HTTP/0.9 200 OK",
    "HTTP/1 200 OK",
    "http/1.1 200 OK",
    " HTTP/1.1 200 OK",
    "HTTP/1.1  200 OK",
    "HTTP/1.1\t200 OK",
    "HTTP/1.1 20 OK",
    "HTTP/1.1 2000 OK",
    "HTTP/1.1 200OK",
    "HTTP/1.1 099 OK",
    "HTTP/1.1 600 OK",
    "HTTP/1.1 -20 OK",
    "HTTP/1.1 2x0 OK",
    "HTTP/1.1 OK",
    "HTTP/1.1 200 O\0K",
    "HTTP/1.1 200 O\x7fK",
    "GET / HTTP/1.1",
  ];
  for (const line of lines) assertRefused(`${line}\r\n\r\n`, "status line");
});

Deno.test("an empty line before the status line is refused: only servers skip it (RFC 9112 2.2)", () => {
  assertRefused("\r\nHTTP/1.1 200 OK\r\n\r\n", "status line");
});

Deno.test("a bare LF is refused, and without waiting for more (RFC 9112 2.2)", () => {
  assertRefused("HTTP/1.1 200 OK\n", "bare LF");
  assertRefused("HTTP/1.1 200 OK\r\nx: a\ny: b", "bare LF");
  assertRefused("HTTP/1.1 200 OK\r\nx: a\r\n\n", "bare LF");
  assertRefused("\n", "bare LF");
});

Deno.test("a CR without LF is refused (RFC 9112 2.2)", () => {
  assertRefused("HTTP/1.1 200 OK\rx: a\r\n\r\n", "status line");
  assertRefused(withField("x: a\rb: c"), "control characters");
  assertRefused(withField("x: a\r"), "control characters");
  assertRefused(withField("\rx: a"), "name");
});

Deno.test("folded lines are refused (RFC 9112 5.2)", () => {
  for (const fold of [" ", "\t"]) {
    assertRefused(withField(`x: a\r\n${fold}b`), "name");
    assertRefused(withField(`x: a\r\n${fold}y: b`), "name");
    assertRefused(withField(`${fold}x: a`), "name");
  }
});

Deno.test("white space before the colon is refused (RFC 9112 5.1)", () => {
  for (const space of [" ", "\t", "\xa0"]) assertRefused(withField(`x${space}: a`), "name");
});

Deno.test("names that are no token are refused (RFC 9110 5.1)", () => {
  for (const line of [":", ": a", "x", "a b: c", "a(b: c", "a\0: b", "\xfc: b", '"a": b']) {
    assertRefused(withField(line), "name");
  }
});

Deno.test("control characters in values are refused (RFC 9110 5.5)", () => {
  for (const character of ["\0", "\x01", "\x0b", "\x0c", "\x1f", "\x7f"]) {
    assertRefused(withField(`x: a${character}b`), "control characters");
    assertRefused(withField(`x:${character}`), "control characters");
  }
});

/** A head of so many bytes. */
function headOfSize(size: number): string {
  const frame = withField("x: ");
  return withField(`x: ${"a".repeat(size - frame.length)}`);
}

Deno.test("a head may have MAX_HEAD_BYTES, and not one more", () => {
  assertEquals(read(headOfSize(MAX_HEAD_BYTES))?.status, 200);
  assertRefused(headOfSize(MAX_HEAD_BYTES + 1), "larger");
});

Deno.test("a head without end is refused where it passes MAX_HEAD_BYTES", () => {
  const reader = new AnswerHeadReader();
  assertEquals(reader.feed(new Uint8Array(MAX_HEAD_BYTES).fill(0x61)), undefined);
  assertThrows(() => reader.feed(new Uint8Array(1)), HttpSyntaxError, "larger");
});

Deno.test("a head of the largest size is found in a piece that is much larger", () => {
  const bytes = bytesOf(headOfSize(MAX_HEAD_BYTES) + "a".repeat(100_000));
  assertEquals(readPieces(bytes, [bytes.length])?.consumed, MAX_HEAD_BYTES);
});

Deno.test("a head may have MAX_ANSWER_FIELDS fields, and not one more", () => {
  const lines = (count: number) => withField(Array(count).fill("a: b").join("\r\n"));
  assertEquals(read(lines(MAX_ANSWER_FIELDS))?.fields.length, MAX_ANSWER_FIELDS);
  assertRefused(lines(MAX_ANSWER_FIELDS + 1), "fields");
});

Deno.test("begun tells whether part of a head has come, and a reader serves head after head", () => {
  const reader = new AnswerHeadReader();
  assertEquals(reader.feed(new Uint8Array()), undefined);
  assertEquals(reader.begun, false);
  assertEquals(reader.feed(bytesOf("HTTP/1.1 100 \r\n\r")), undefined);
  assertEquals(reader.begun, true);
  // A 1xx answer stands before the final one (RFC 9110 15.2).
  const rest = bytesOf("\nHTTP/1.1 200 OK\r\n\r\nbody");
  const interim = reader.feed(rest);
  assertEquals([interim?.head.status, interim?.consumed, reader.begun], [100, 1, false]);
  const final = reader.feed(rest.subarray(1));
  assertEquals([final?.head.status, final?.consumed, reader.begun], [200, 19, false]);
});

Deno.test("what a reader kept of one head does not reach the next", () => {
  const reader = new AnswerHeadReader();
  reader.feed(bytesOf("HTTP/1.1 200 OK\r\nlong: " + "a".repeat(2_000)));
  reader.feed(bytesOf("\r\n\r\n"));
  reader.feed(bytesOf("HTTP/1.1 404 "));
  assertEquals(plain(reader.feed(bytesOf("\r\n\r\n"))!.head), {
    minor: 1,
    status: 404,
    fields: [],
  });
});

/** Bytes that `run` searches and copies through the methods of typed arrays. */
function bytesTouched(run: () => void): number {
  let touched = 0;
  const indexOf: Uint8Array["indexOf"] = function (this: Uint8Array, wanted, from = 0) {
    const found = Array.prototype.indexOf.call(this, wanted, from);
    touched += (found === -1 ? this.length : found + 1) - from;
    return found;
  };
  const set: Uint8Array["set"] = function (this: Uint8Array, source, offset = 0) {
    touched += source.length;
    for (let at = 0; at < source.length; at++) this[offset + at] = source[at]!;
  };
  Object.assign(Uint8Array.prototype, { indexOf, set });
  try {
    run();
  } finally {
    for (const name of ["indexOf", "set"]) Reflect.deleteProperty(Uint8Array.prototype, name);
  }
  return touched;
}

Deno.test("the work on a head that comes byte by byte is linear in its length", () => {
  const bytes = bytesOf(headOfSize(MAX_HEAD_BYTES));
  const touched = bytesTouched(() => {
    assertEquals(readPieces(bytes, [1])?.consumed, MAX_HEAD_BYTES);
  });
  // Four looks for the end of the head, one copy, and two as the buffer doubles; 2^31 if quadratic.
  assertLess(touched, 10 * MAX_HEAD_BYTES);
});

Deno.test("60,000 spaces inside a value are read at once", () => {
  // A pattern like /[\t ]+$/ takes seconds here.
  const value = `a${" ".repeat(60_000)}b`;
  for (let count = 0; count < 20; count++) {
    assertEquals(
      readPieces(bytesOf(withField(`x: ${value}`)), [70_000])?.head.fields,
      [["x", value]],
    );
  }
});

const splits = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 });
const tokenCharacter = fc.constantFrom(..."!#$%&'*+-.^_`|~09azAZ");
const textCharacter = fc.integer({ min: 0x20, max: 0xff })
  .map((code) => code === 0x7f ? "\t" : String.fromCharCode(code));
const ows = fc.string({ unit: fc.constantFrom(" ", "\t"), maxLength: 3 });
const field = fc.record({
  name: fc.string({ unit: tokenCharacter, minLength: 1 }),
  before: ows,
  value: fc.string({ unit: textCharacter }).map((text) => text.replace(/^[\t ]+|[\t ]+$/g, "")),
  after: ows,
});
const generated = fc.record({
  minor: fc.constantFrom(0 as const, 1 as const),
  status: fc.integer({ min: 100, max: 599 }),
  reason: fc.option(fc.string({ unit: textCharacter })),
  fields: fc.array(field, { maxLength: 12 }),
}).map(({ minor, status, reason, fields }) => ({
  head: {
    minor,
    status,
    fields: fields.map(({ name, value }) => [name.toLowerCase(), value] as const),
  },
  text: [
    `HTTP/1.${minor} ${status}${reason === null ? "" : ` ${reason}`}`,
    ...fields.map(({ name, before, value, after }) => `${name}:${before}${value}${after}`),
    "\r\n",
  ].join("\r\n"),
}));

Deno.test("a generated head is read back, with any bytes behind it and however it is split", () => {
  fc.assert(
    fc.property(generated, fc.uint8Array(), splits, ({ head, text }, rest, lengths) => {
      const bytes = new Uint8Array([...bytesOf(text), ...rest]);
      const expected = { head, consumed: text.length };
      assertEquals(readPieces(bytes, [bytes.length]), expected);
      assertEquals(readPieces(bytes, lengths), expected);
      assertEquals(readPieces(bytes, [1]), expected);
    }),
  );
});

Deno.test("a head that is cut short gives no head and no error", () => {
  fc.assert(fc.property(generated, fc.nat(), splits, ({ text }, cut, lengths) => {
    assertEquals(readPieces(bytesOf(text.slice(0, cut % text.length)), lengths), undefined);
  }));
});

Deno.test("a head with one byte wrong gives the same however it is split", () => {
  const outcome = (bytes: Uint8Array, lengths: readonly number[]) => {
    try {
      return readPieces(bytes, lengths);
    } catch (error) {
      if (error instanceof HttpSyntaxError) return "refused";
      throw error;
    }
  };
  const byte = fc.constantFrom(0x00, 0x09, 0x0a, 0x0d, 0x20, 0x3a, 0x7f, 0xa0);
  fc.assert(fc.property(generated, fc.nat(), byte, splits, ({ text }, at, wrong, lengths) => {
    const bytes = bytesOf(text);
    bytes[at % bytes.length] = wrong;
    assertEquals(outcome(bytes, lengths), outcome(bytes, [bytes.length]));
  }));
});
