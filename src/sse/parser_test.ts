import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { parseIn, shown, type ShownEvent, splits, utf8 } from "./event_cases.ts";
import { EventParser, EventTooLargeError } from "./mod.ts";

/** The events of a stream, which are the same however it is split. */
function parse(stream: string | Uint8Array): readonly ShownEvent[] {
  const bytes = typeof stream === "string" ? utf8(stream) : stream;
  const whole = parseIn([bytes.length], bytes);
  for (const lengths of splits(bytes.length)) assertEquals(parseIn(lengths, bytes), whole);
  return whole.events;
}

function newParser(maxEventBytes = 1_000_000): EventParser {
  return new EventParser({ maxEventBytes });
}

Deno.test("R35 CR, LF and CRLF end lines, also mixed and split across pieces", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const stream = ["id: 1", "data: a", "data: b", "", "", "data: c", "", ""].join(end);
    assertEquals(parse(stream), [{ id: "1", data: "a\nb" }, { data: "c" }]);
  }
  assertEquals(parse("data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\r"), [
    { data: "a\nb\nc" },
    { data: "d" },
  ]);
  assertEquals(parse("data: a\n\rdata: b\r\n\n"), [{ data: "a" }, { data: "b" }]);
});

Deno.test("R35 a CR at the end of a piece ends the event at once, and its LF is swallowed", () => {
  const parser = newParser();
  assertEquals(parser.feed(utf8("data: a\r\n\r")).map(shown), [{ data: "a" }]);
  assertEquals(parser.midEvent, false);
  assertEquals(parser.feed(utf8("\n")), []);
  assertEquals(parser.midEvent, false);
  assertEquals(parser.feed(utf8("data: b\r")), []);
  assertEquals(parser.feed(new Uint8Array()), []);
  assertEquals(parser.feed(utf8("\n\r")).map(shown), [{ data: "b" }]);
  assertEquals(parser.feed(utf8("\n\n\ndata: c\n\n")).map(shown), [{ data: "c" }]);
});

Deno.test("R36 a BOM is taken away at offset 0 alone, whole and split", () => {
  assertEquals(parse("\ufeffdata: 1\n\n"), [{ data: "1" }]);
  assertEquals(parse("\ufeff\ufeffdata: 1\n\n"), [{}]);
  assertEquals(parse("\ufeff\n\ufeffdata: 1\n\n"), [{}]);
  assertEquals(parse("data: \ufeff1\nid: \ufeff2\n\n"), [{ id: "\ufeff2", data: "\ufeff1" }]);
  assertEquals(parse("\ufeff: a\n\n"), [{ comments: [" a"] }]);
});

Deno.test("R36 what only begins like a BOM is the start of a line", () => {
  for (const start of [[0xef], [0xef, 0xbb], [0xef, 0xef, 0xbb, 0xbf], [0xef, 0xbb, 0xef]]) {
    assertEquals(parse(new Uint8Array([...start, ...utf8("data: 1\n\n")])), [{}]);
    assertEquals(parse(new Uint8Array([...start, ...utf8("\ndata: 1\n\n")])), [{ data: "1" }]);
  }
});

Deno.test("R37 an id with NUL is ignored, an empty one is kept, the last one counts", () => {
  assertEquals(parse("id: 1\nid: a\0b\ndata: x\n\n"), [{ id: "1", data: "x" }]);
  assertEquals(parse("id: \0\n\n"), [{}]);
  assertEquals(parse("id: 1\nid\n\n"), [{ id: "" }]);
  assertEquals(parse("id: 1\nid: 2\n\n"), [{ id: "2" }]);
});

Deno.test("R38 retry is digits and nothing else, capped at what a number tells exactly", () => {
  const texts = ["1000", "02000", " 10", "0", "9007199254740963", "9007199254740993"];
  texts.push("9".repeat(400));
  const values = texts.map((text) => parse(`retry:${text}\n\n`)[0]?.retry);
  const most = Number.MAX_SAFE_INTEGER;
  assertEquals(values, [1_000, 2_000, 10, 0, 9_007_199_254_740_963, most, most]);
  for (const text of ["", " ", "1x", "-1", "+1", "1.5", "1e3", "0x10", "  1", "1 ", "\u0661"]) {
    assertEquals(parse(`retry: 5\nretry:${text}\n\n`), [{ retry: 5 }]);
  }
});

Deno.test("R39 a priming event with empty data is kept, and told apart from none", () => {
  assertEquals(parse("id: 7\ndata: \n\n"), [{ id: "7", data: "" }]);
  assertEquals(parse("data:\n\ndata\n\n"), [{ data: "" }, { data: "" }]);
  assertEquals(parse("id: 7\n\nretry: 3\n\nevent: x\n\n"), [
    { id: "7" },
    { retry: 3 },
    { event: "x" },
  ]);
});

Deno.test("R40 comments are kept, beside data and alone, with all behind the colon", () => {
  assertEquals(parse(": ping\n\n:\n\ndata: a\n:b: c\ndata: d\n\n"), [
    { comments: [" ping"] },
    { comments: [""] },
    { comments: ["b: c"], data: "a\nd" },
  ]);
});

Deno.test("R41 an event that the end of the stream cuts off does not come out", () => {
  const stream = "id: 1\r\ndata: a\r\n: c\r\n";
  for (let end = 1; end <= stream.length; end++) {
    assertEquals(parseIn([1], utf8(stream.slice(0, end))), { events: [], midEvent: true });
  }
  assertEquals(newParser().midEvent, false);
  assertEquals(parseIn([1], new Uint8Array([0xef, 0xbb])), { events: [], midEvent: true });
  assertEquals(parseIn([1], utf8("\ufeff")), { events: [], midEvent: false });
});

Deno.test("R42 an event of exactly the limit passes, one byte more does not, however it is split", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const lines = `: c${end}data: 12${end}data: 3${end}`;
    const bytes = utf8(`${lines}${end}${lines}${end}`);
    for (const lengths of splits(bytes.length)) {
      assertEquals(parseIn(lengths, bytes, lines.length).events.length, 2);
      assertThrows(() => parseIn(lengths, bytes, lines.length - 1), EventTooLargeError);
    }
  }
});

Deno.test("R42 what never ends is given up in bounded memory, and stays given up", () => {
  const maxEventBytes = 10_000;
  for (const text of [":", "unknown: x", "data: x", "id: x", "data:\n", ":\n", "x\r\n", "\x80"]) {
    const piece = utf8(text.repeat(Math.ceil(700 / text.length)));
    const parser = newParser(maxEventBytes);
    let fedBytes = 0;
    const feed = () => {
      while (fedBytes <= maxEventBytes + piece.length) {
        fedBytes += piece.length;
        parser.feed(piece);
        assertLessOrEqual(parser.keptBytes, maxEventBytes);
      }
    };
    assertThrows(feed, EventTooLargeError, "larger than 10000 bytes");
    assertLessOrEqual(fedBytes, maxEventBytes + piece.length);
    assertEquals(parser.keptBytes, 0);
    assertThrows(() => parser.feed(utf8("\n\ndata: 1\n\n")), EventTooLargeError);
    assertThrows(() => parser.feed(new Uint8Array()), EventTooLargeError);
  }
});

Deno.test("R42 events ahead of the one that is too large are handed on with the error", () => {
  const parser = newParser(10);
  const stream = `data: 1\n\ndata: 2\n\ndata: ${"x".repeat(10)}\n\ndata: 3\n\n`;
  const error = assertThrows(() => parser.feed(utf8(stream)), EventTooLargeError);
  assertEquals(error.events.map(shown), [{ data: "1" }, { data: "2" }]);
  assertEquals(error.maxEventBytes, 10);
  const later = assertThrows(() => parser.feed(utf8("data: 4\n\n")), EventTooLargeError);
  assertEquals(later.events, []);
});

/** More work than this for each byte is not waited for. */
const FAR_TOO_MUCH = 50;

/** The work for each byte of a stream that is fed in pieces of one length. */
function workPerByte(stream: Uint8Array, length: number): number {
  const parser = newParser(stream.length);
  for (let at = 0; at < stream.length; at += length) {
    parser.feed(stream.subarray(at, at + length));
    if (parser.workBytes > FAR_TOO_MUCH * stream.length) return Infinity;
  }
  assertEquals(parser.midEvent, false);
  return parser.workBytes / stream.length;
}

Deno.test("multiline tells whether data of the last piece has line breaks", () => {
  const parser = new EventParser({ maxEventBytes: 1_000 });
  const told = ["data: a\n\n", "data: a\ndata: b\n\n", "data: c\n\n", "data: d\n", "data: e\n\n"]
    .map((piece) => {
      parser.feed(new TextEncoder().encode(piece));
      return parser.multiline;
    });
  assertEquals(told, [false, true, false, false, true]);
});

Deno.test("R43 10 MiB in pieces of 1 byte take work linear in their length", () => {
  const stream = utf8(`data: ${"x".repeat(10_485_760)}\n\n`);
  // Looked at, with the place behind, 2; kept, 1; moved by growth, up to 2; searched for LF and CR, 2.
  assertLessOrEqual(workPerByte(stream, 1), 7);
});

Deno.test("R43 work stays linear for any shape of lines and pieces", () => {
  const shapes = ["x", "data:\n", "data:\r", "data\r\n", "data: x\n", ":\r", "data: 1\r\r"];
  shapes.push(`data: ${"x".repeat(100)}\r`, `data: ${"x".repeat(100)}\r\r`);
  for (const shape of shapes) {
    const stream = utf8(`${shape.repeat(Math.ceil(400_000 / shape.length))}\n\n`);
    for (const length of [1, 20, 1_000, 65_536, 400_100]) {
      assertLessOrEqual(workPerByte(stream, length), 10, JSON.stringify([shape, length]));
    }
  }
});

Deno.test("R45 U+2028, U+2029 and U+0085 are text and end no line", () => {
  const text = "a\u2028b\u2029c\u0085d\v\f";
  assertEquals(parse(`event: ${text}\nid: ${text}\ndata: ${text}\n:${text}\n\n`), [
    { id: text, event: text, comments: [text], data: text },
  ]);
});

Deno.test("R46 characters of several bytes may be split across pieces", () => {
  const text = "é\u20ac\u{1f600}";
  assertEquals(parse(`id: ${text}\nevent: ${text}\ndata: ${text}\n:${text}\n\n`), [
    { id: text, event: text, comments: [text], data: text },
  ]);
});

Deno.test("R46 what is no UTF-8 stays as it is in data, and is replaced in other fields", () => {
  const bytes = new Uint8Array([...utf8("data: "), 0xff, 0xe2, 0x80, 0x0a, ...utf8("id: "), 0xe2]);
  const [event] = newParser().feed(new Uint8Array([...bytes, 0x80, 0x0a, 0x0a]));
  assertEquals(event?.data, new Uint8Array([0xff, 0xe2, 0x80]));
  assertEquals(event?.id, "\ufffd");
});

Deno.test("R47 data that is not JSON-RPC passes untouched", () => {
  for (const data of ["[DONE]", "{", "\0\x01", "null", " two spaces", '{"jsonrpc":"1.0"}']) {
    assertEquals(parse(`event: message\ndata: ${data}\n\n`), [{ event: "message", data }]);
  }
});

Deno.test("fields are matched literally, and lose one space (WHATWG HTML 9.2.6)", () => {
  assertEquals(parse("data:  a\ndata:\tb\nDATA: c\ndata : d\n data: e\ndat: f\ndataa: g\n\n"), [
    { data: " a\n\tb" },
  ]);
  assertEquals(parse("event\n\nevents: a\n\nid\nids: a\n\nretrys: 1\n\nda\nta: a\n\n"), [
    { event: "" },
    {},
    { id: "" },
    {},
    {},
  ]);
  assertEquals(parse("event: a\nevent: b\ndata: x\n\nevent: b\ndata: y\n\n"), [
    { event: "b", data: "x" },
    { event: "b", data: "y" },
  ]);
});

Deno.test("blocks without a line give nothing, those of unknown fields an event without anything", () => {
  assertEquals(parse("\n\n\r\r\n\n"), []);
  assertEquals(parse("foo: bar\n\n"), [{}]);
});

Deno.test("data stays as it is when its piece is used anew and when later events are read", () => {
  const parser = newParser();
  const buffer = utf8("data: 1\ndata: 2\n\ndata: 3\n\ndata: 4");
  const first = parser.feed(buffer);
  buffer.set(utf8("5\n\ndata: 6\n\n"));
  const second = parser.feed(buffer.subarray(0, 12));
  buffer.fill(0);
  assertEquals(first.map(shown), [{ data: "1\n2" }, { data: "3" }]);
  assertEquals(second.map(shown), [{ data: "45" }, { data: "6" }]);
});

Deno.test("long streams read the same in pieces below, at and above the sizes that matter", () => {
  let stream = "";
  for (let index = 0; stream.length < 300_000; index++) {
    const end = ["\n", "\r", "\r\n"][index % 3]!;
    const long = "é".repeat((index * 37) % 400);
    stream += `id: ${index}${end}data: ${long}${end}:${end}data: ${index}${end}${end}`;
  }
  stream += `data: ${"x".repeat(200_000)}\n\n`;
  const bytes = utf8(stream);
  const whole = parseIn([bytes.length], bytes);
  for (const length of [7, 23, 24, 25, 191, 192, 193, 5_000, 65_536, 131_072, 131_073]) {
    // Compared as text, because a difference of so much would take minutes to print.
    assert(JSON.stringify(parseIn([length], bytes)) === JSON.stringify(whole), `${length}`);
  }
  assertEquals(whole.events.length, parseWithOracle(bytes).events.length);
  assertEquals(whole.events[4]?.data, `${"é".repeat(148)}\n4`);
});

/** What eventsource-parser makes of a stream. */
interface OracleView {
  events: (readonly [id: string | undefined, event: string | undefined, data: string])[];
  ids: string[];
  comments: string[];
  retry: number | undefined;
}

function parseWithOracle(bytes: Uint8Array): OracleView {
  const view: OracleView = { events: [], ids: [], comments: [], retry: undefined };
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const parser = createParser({
    onEvent: ({ id, event, data }) => void view.events.push([id, event, data]),
    onId: (id) => void view.ids.push(id),
    onComment: (comment) => void view.comments.push(comment),
    onRetry: (retry) => view.retry = Math.min(retry, Number.MAX_SAFE_INTEGER),
  });
  // It would also take "ï»¿" for a BOM, were there none.
  parser.feed(`\ufeff${text.replace(/^\ufeff/, "")}`);
  return view;
}

/** The same view of this parser's events. */
function oracleView(events: readonly ShownEvent[]): OracleView {
  const view: OracleView = { events: [], ids: [], comments: [], retry: undefined };
  for (const { id, event, retry, comments = [], data } of events) {
    if (data !== undefined) view.events.push([id, event || undefined, data]);
    if (id !== undefined) view.ids.push(id);
    // It takes a space away ahead of a comment.
    view.comments.push(...comments.map((comment) => comment.replace(/^ /, "")));
    view.retry = retry ?? view.retry;
  }
  return view;
}

const ENDS = ["\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "\r\r"];
const NAMES = ["data", "id", "event", "retry", "dat", "Data", "", "foo", " data"];
const VALUES = ["", " ", "  ", "12", "a\0b", "é\u20ac", "\ufeff", "\u2028", "x:y", "x".repeat(40)];

/** Bytes that are often an event stream, and often nearly one. */
const streams = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...ENDS).map(utf8) },
    {
      weight: 6,
      arbitrary: fc.tuple(
        fc.constantFrom(...NAMES),
        fc.constantFrom(":", ": ", ""),
        fc.constantFrom(...VALUES),
        fc.constantFrom(...ENDS),
      ).map((parts) => utf8(parts.join(""))),
    },
    { weight: 1, arbitrary: fc.constant(utf8("\ufeff")) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }) },
  ),
  { maxLength: 60, size: "max" },
).map((parts) => new Uint8Array(parts.flatMap((part) => [...part])));

Deno.test("R34 any stream reads as eventsource-parser reads it, however it is split", () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(streams, lengths, (stream, pieces) => {
      // Its callbacks tell of parts of an event that is cut off too, so none is.
      const bytes = new Uint8Array([...stream, 0x0a, 0x0a]);
      const parsed = parseIn(pieces, bytes);
      assertEquals(oracleView(parsed.events), parseWithOracle(bytes));
      assertEquals(parsed, parseIn([1], bytes));
      assert(!parsed.midEvent);
    }),
    { numRuns: 1_000 },
  );
});
