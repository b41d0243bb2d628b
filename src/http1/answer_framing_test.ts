import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { bytesOf } from "./fuzz_cases.ts";
import { type AnswerFraming, answerFraming } from "./answer_framing.ts";
import { AnswerHeadReader } from "./answer_head.ts";
import type { BodyFraming } from "./body_decoder.ts";
import { HttpSyntaxError } from "./syntax.ts";

/** The framing of an answer with these lines; the status line but for `HTTP/1.` is the first. */
function framing(start: string, lines: readonly string[], method = "POST"): AnswerFraming {
  const text = [`HTTP/1.${start}`, ...lines, "\r\n"].join("\r\n");
  return answerFraming(method, new AnswerHeadReader().feed(bytesOf(text))!.head);
}

function assertRefused(start: string, lines: readonly string[], reason: string): void {
  assertThrows(() => framing(start, lines), HttpSyntaxError, reason);
}

const CHUNKED: BodyFraming = { kind: "chunked" };
const NONE: BodyFraming = { kind: "none" };
const CLOSE: BodyFraming = { kind: "close" };

Deno.test("a body in chunked coding ends with it (RFC 9112 6.3 rule 4)", () => {
  for (const coding of ["chunked", "Chunked", "CHUNKED", " chunked\t"]) {
    const { body, reusable } = framing("1 200 OK", [`Transfer-Encoding:${coding}`]);
    assertEquals([body, reusable], [CHUNKED, true]);
  }
});

Deno.test("R7 of both framings the chunked one holds, and the connection is not used again", () => {
  for (const length of ["5", "0", "nonsense"]) {
    const lines = [`content-length: ${length}`, "transfer-encoding: chunked"];
    for (const order of [lines, lines.toReversed()]) {
      const { body, reusable } = framing("1 200 OK", order);
      assertEquals([body, reusable], [CHUNKED, false]);
    }
  }
});

Deno.test("R7 codings other than chunked alone are refused (RFC 9112 6.1, 6.3 rule 4)", () => {
  const codings = [
    "gzip",
    "chunked, gzip",
    "gzip, chunked",
    "chunked, chunked",
    "chunked,",
    ", chunked",
    "identity",
    "xchunked",
    "chunked;q=1",
    '"chunked"',
    "",
    // Spaces to JavaScript's trim(), and not to HTTP.
    "chunked\xa0",
    "\xa0chunked",
  ];
  for (const coding of codings) {
    assertRefused("1 200 OK", [`transfer-encoding: ${coding}`], "coding");
    assertRefused("1 200 OK", [`transfer-encoding: ${coding}`, "content-length: 5"], "coding");
  }
  assertRefused("1 200 OK", ["transfer-encoding: gzip", "transfer-encoding: chunked"], "coding");
  assertRefused("1 200 OK", ["transfer-encoding: chunked", "transfer-encoding: x"], "coding");
});

Deno.test("a transfer coding in an answer of HTTP/1.0 is refused (RFC 9112 6.1)", () => {
  assertRefused("0 200 OK", ["transfer-encoding: chunked"], "coding");
});

Deno.test("a body with a length has that length (RFC 9112 6.3 rule 6)", () => {
  const lengthOf = (value: string) => framing("1 200 OK", [`Content-Length:${value}`]).body;
  assertEquals(lengthOf("5"), { kind: "length", bytes: 5 });
  assertEquals(lengthOf(" 005 "), { kind: "length", bytes: 5 });
  assertEquals(lengthOf("999999999999999"), { kind: "length", bytes: 999_999_999_999_999 });
  assertEquals(lengthOf("0"), NONE);
  assertEquals(lengthOf("00"), NONE);
});

Deno.test("a length that is given again must be the same (RFC 9112 6.3 rule 5)", () => {
  const expected = { kind: "length", bytes: 5 } as const;
  assertEquals(framing("1 200 OK", ["content-length: 5, 5"]).body, expected);
  assertEquals(framing("1 200 OK", ["content-length: 5", "Content-Length: 5"]).body, expected);
  const contradicting = [["5, 6"], ["5", "6"], ["5", "5", "6"], ["5", "05"], ["0", "5"]];
  for (const values of contradicting) {
    assertRefused("1 200 OK", values.map((value) => `content-length: ${value}`), "length");
  }
});

Deno.test("lengths that are no decimal number are refused (RFC 9112 6.3 rule 5)", () => {
  const values = [
    "",
    "-5",
    "-0",
    "+5",
    "5.0",
    "5e1",
    "0x5",
    "5 5",
    "5;",
    "5,",
    ",5",
    "five",
    "5\xa0",
    "\xa05",
    "\xb2",
    // More digits than stay exact.
    "1000000000000000",
    "0000000000000005",
  ];
  for (const value of values) assertRefused("1 200 OK", [`content-length: ${value}`], "length");
});

Deno.test("an answer without framing ends with its connection (RFC 9112 6.3 rule 8)", () => {
  for (const start of ["0 200 OK", "1 200 OK", "1 500 Oh"]) {
    for (const lines of [[], ["connection: keep-alive"]]) {
      const { body, reusable } = framing(start, lines);
      assertEquals([body, reusable], [CLOSE, false]);
    }
  }
});

Deno.test("1xx, 204, 304 and answers to HEAD have no body, whatever they say (RFC 9112 6.3 rule 1)", () => {
  const says = [[], ["content-length: 5"], ["transfer-encoding: chunked"], ["content-length: x"]];
  for (const lines of says) {
    for (const start of ["1 100 ", "1 103 ", "1 204 ", "1 304 "]) {
      const { body, reusable } = framing(start, lines);
      assertEquals([body, reusable], [NONE, true]);
    }
    const { body, reusable } = framing("1 200 OK", lines, "HEAD");
    assertEquals([body, reusable], [NONE, true]);
  }
});

Deno.test("other statuses near those have a body", () => {
  for (const status of [200, 202, 203, 205, 303, 305, 404]) {
    assertEquals(framing(`1 ${status} `, ["transfer-encoding: chunked"]).body, CHUNKED);
  }
  assertEquals(framing("1 200 OK", ["transfer-encoding: chunked"], "head").body, CHUNKED);
});

Deno.test("HTTP/1.1 keeps the connection unless an option says close (RFC 9112 9.3)", () => {
  const reusable = (...lines: string[]) =>
    framing("1 200 OK", ["content-length: 5", ...lines]).reusable;
  assertEquals(reusable(), true);
  assertEquals(reusable("connection: keep-alive"), true);
  assertEquals(reusable("connection: x, disclose"), true);
  assertEquals(reusable("connection:"), true);
  assertEquals(reusable("connection: close"), false);
  assertEquals(reusable("Connection: CLOSE"), false);
  assertEquals(reusable("connection: x ,\tClose\t, keep-alive"), false);
  assertEquals(reusable("connection: keep-alive", "x: y", "connection: close"), false);
});

Deno.test("HTTP/1.0 closes the connection unless an option says keep-alive (RFC 9112 9.3)", () => {
  const reusable = (...lines: string[]) =>
    framing("0 200 OK", ["content-length: 5", ...lines]).reusable;
  assertEquals(reusable(), false);
  assertEquals(reusable("connection: x"), false);
  assertEquals(reusable("connection: keep-alive"), true);
  assertEquals(reusable("Connection: x, Keep-Alive"), true);
  assertEquals(reusable("connection: keep-alive, close"), false);
  assertEquals(reusable("connection: close", "connection: keep-alive"), false);
});

Deno.test("close holds in chunked answers and in those without a body too", () => {
  assertEquals(
    framing("1 200 ", ["transfer-encoding: chunked", "connection: close"]).reusable,
    false,
  );
  assertEquals(framing("1 204 ", ["connection: close"]).reusable, false);
});

Deno.test("Keep-Alive tells how long the server waits (RFC 2068 19.7.1.1)", () => {
  const seconds = (...values: string[]) =>
    framing("1 204 ", values.map((value) => `Keep-Alive: ${value}`)).keepAliveSeconds;
  assertEquals(seconds(), undefined);
  assertEquals(seconds("timeout=5"), 5);
  assertEquals(seconds("timeout=0"), 0);
  assertEquals(seconds("max=100, Timeout = 15"), 15);
  assertEquals(seconds('timeout="5", max=100'), 5);
  assertEquals(seconds("max=100", "timeout=7"), 7);
  assertEquals(seconds("timeout=5, timeout=9"), 5);
  const nonsense = ["", "timeout", "timeout=", "timeout=-5", "timeout=5s", "timeout=1.5", "5"];
  for (const value of [...nonsense, "xtimeout=5", "timeout=1000000"]) {
    assertEquals(seconds(value), undefined);
  }
});

Deno.test("R7 any fields give one framing or an error, and reuse only where the end is certain", () => {
  const line = fc.tuple(
    fc.constantFrom("content-length", "transfer-encoding", "connection", "keep-alive"),
    fc.constantFrom("5", "6", "", "chunked", "gzip", "close", "keep-alive", "timeout=3", "5, 5"),
  ).map(([name, value]) => `${name}: ${value}`);
  const start = fc.constantFrom("0 200 ", "1 200 ", "1 204 ", "1 304 ", "1 100 ");
  fc.assert(
    fc.property(
      start,
      fc.array(line, { maxLength: 5 }),
      fc.constantFrom("GET", "POST", "HEAD"),
      (status, lines, method) => {
        const has = (name: string) => lines.some((line) => line.startsWith(name));
        const both = has("transfer-encoding") && has("content-length");
        let found: AnswerFraming;
        try {
          found = framing(status, lines, method);
        } catch (error) {
          if (!(error instanceof HttpSyntaxError)) throw error;
          return;
        }
        if (found.body.kind === "close" || both) assertEquals(found.reusable, false);
        assertEquals(found.body.kind === "close" && (both || has("content-length")), false);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("a head that comes again as the answer to HEAD has no body, whoever had it before (RFC 9112 6.3 rule 1)", () => {
  const reader = new AnswerHeadReader();
  const read = (method: string) =>
    answerFraming(
      method,
      reader.feed(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"))!.head,
    ).body;
  const five: BodyFraming = { kind: "length", bytes: 5 };
  assertEquals(["POST", "HEAD", "POST", "HEAD"].map(read), [five, NONE, five, NONE]);
});
