import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { bytesOf, piecesOf } from "./fuzz_cases.ts";
import {
  MAX_REQUEST_FIELDS,
  MAX_REQUEST_LINE_BYTES,
  type RequestHead,
  RequestHeadReader,
} from "./request_head.ts";
import { HttpSyntaxError, type SyntaxFault } from "./syntax.ts";

/** What comes of the bytes in these pieces: a head and its length, a fault, or nothing yet. */
function outcome(bytes: Uint8Array, lengths: readonly number[]) {
  const reader = new RequestHeadReader();
  let before = 0;
  try {
    for (const piece of piecesOf(bytes, lengths)) {
      const result = reader.feed(piece);
      if (result !== undefined) return { head: result.head, consumed: before + result.consumed };
      before += piece.length;
    }
  } catch (error) {
    if (error instanceof HttpSyntaxError) return error.fault;
    throw error;
  }
  return undefined;
}

function read(lines: readonly string[]): RequestHead {
  const found = outcome(bytesOf([...lines, "\r\n"].join("\r\n")), [1]);
  if (typeof found !== "object") throw new Error(String(found));
  return found.head;
}

const post = (...lines: string[]) => read(["POST / HTTP/1.1", "Host: a", ...lines]);

Deno.test("a request head is its line, its fields, its framing and what becomes of the connection", () => {
  const { fields, ...head } = post("Content-Length: 5", "Expect: 100-continue", "X: y");
  assertEquals(head, {
    method: "POST",
    target: "/",
    minor: 1,
    body: { kind: "length", bytes: 5 },
    persistent: true,
    expectsContinue: true,
  });
  const list = ["host", "a", "content-length", "5", "expect", "100-continue", "x", "y"];
  assertEquals(fields.list, list);
});

Deno.test("the forms of a target are kept as they are (RFC 9112 3.2)", () => {
  const targets = [
    ["GET", "/"],
    ["GET", "//a/../b?c=%00#d"],
    ["GET", "http://a/b"],
    ["GET", "HTTPS://a"],
    ["CONNECT", "a:1"],
    ["OPTIONS", "*"],
  ] as const;
  for (const [method, target] of targets) {
    assertEquals(read([`${method} ${target} HTTP/1.1`, "host: a"]).target, target);
  }
});

Deno.test("a connection persists in HTTP/1.1 unless close is said (RFC 9112 9.3)", () => {
  assertEquals(post().persistent, true);
  assertEquals(post("connection: keep-alive").persistent, true);
  assertEquals(post("connection: x, CLOSE").persistent, false);
  assertEquals(post("connection: x", "connection: close").persistent, false);
  assertEquals(read(["GET / HTTP/1.0", "connection: keep-alive"]).persistent, false);
});

Deno.test("100-continue is expected in HTTP/1.1 alone, and nothing else is (RFC 9110 10.1.1)", () => {
  assertEquals(post("expect: 100-Continue").expectsContinue, true);
  assertEquals(post("expect: 200-ok").expectsContinue, false);
  assertEquals(read(["POST / HTTP/1.0", "expect: 100-continue"]).expectsContinue, false);
});

Deno.test("each fault is told apart", () => {
  const faults: [string, SyntaxFault][] = [
    ["BAD\r\n\r\n", "syntax"],
    ["GET / HTTP/3.0\r\n\r\n", "version"],
    [`GET /${"a".repeat(MAX_REQUEST_LINE_BYTES)} HTTP/1.1\r\n\r\n`, "firstLineTooLong"],
    [`GET /${"a".repeat(MAX_REQUEST_LINE_BYTES)}`, "firstLineTooLong"],
    [`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(MAX_REQUEST_FIELDS + 1)}\r\n`, "headTooLarge"],
    [`GET / HTTP/1.1\r\nx: ${"a".repeat(66_000)}`, "headTooLarge"],
  ];
  for (const [text, fault] of faults) {
    for (const length of [text.length, 1, 7]) assertEquals(outcome(bytesOf(text), [length]), fault);
  }
});

Deno.test("one empty line ahead is skipped, for each request (RFC 9112 2.2)", () => {
  const reader = new RequestHeadReader();
  for (let time = 0; time < 2; time++) {
    const bytes = bytesOf("\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assertEquals(reader.feed(bytes)?.consumed, bytes.length);
  }
  assertThrows(() => reader.feed(bytesOf("\r\n\r\nGET / HTTP/1.1")), HttpSyntaxError);
});

const line = fc.tuple(
  fc.constantFrom("host", "Content-Length", "transfer-encoding", "connection", "expect", "x"),
  fc.constantFrom("a", "5", "6", "5, 5", "", "chunked", "gzip", "close", "100-continue", "\xff"),
).map(([name, value]) => `${name}: ${value}`);
const start = fc.constantFrom("GET / HTTP/1.1", "POST http://a/ HTTP/1.0", "\r\nGET / HTTP/1.1");
const splits = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 });

Deno.test("R1 R2 R4 R9 any lines give the same however they are split, and never two framings", () => {
  fc.assert(
    fc.property(start, fc.array(line, { maxLength: 6 }), splits, (first, lines, lengths) => {
      const bytes = bytesOf([first, ...lines, "\r\n"].join("\r\n"));
      const found = outcome(bytes, [bytes.length]);
      assertEquals(outcome(bytes, lengths), found);
      assertEquals(outcome(bytes, [1]), found);
      if (typeof found !== "object") return assertEquals(found, "syntax");
      const values = (name: string) =>
        lines.filter((text) => text.toLowerCase().startsWith(`${name}:`));
      const [lengthLines, codingLines] = [values("content-length"), values("transfer-encoding")];
      assertEquals(lengthLines.length > 0 && codingLines.length > 0, false);
      assertEquals(values("host").length <= 1, true);
      if (codingLines.length > 0) assertEquals(found.head.body.kind, "chunked");
      else if (lengthLines.length === 0) assertEquals(found.head.body.kind, "none");
      else assertEquals(new Set(lengthLines.flatMap((text) => text.match(/\d/g))).size, 1);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("R4 one byte wrong gives the same however it is split", () => {
  const text = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: y z\r\n\r\n";
  const byte = fc.constantFrom(0x00, 0x09, 0x0a, 0x0b, 0x0d, 0x20, 0x2c, 0x3a, 0x7f, 0xa0);
  fc.assert(fc.property(fc.nat(), byte, splits, (at, wrong, lengths) => {
    const bytes = bytesOf(text);
    bytes[at % bytes.length] = wrong;
    assertEquals(outcome(bytes, lengths), outcome(bytes, [bytes.length]));
  }));
});
