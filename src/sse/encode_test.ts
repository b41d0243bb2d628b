import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseIn, type ShownEvent, splits, utf8 } from "./event_cases.ts";
import { encodeEvent, encodeEvents, EventParser, type OutEvent } from "./mod.ts";

function encoded(...events: readonly OutEvent[]): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(encodeEvents(events));
}

Deno.test("encodeEvent() writes comments, event, id, retry and data in this order", () => {
  const event = { data: "{}", retry: 3_000, id: "7", event: "message", comments: [" a", "b"] };
  assertEquals(encoded(event), ": a\n:b\nevent: message\nid: 7\nretry: 3000\ndata: {}\n\n");
  assertEquals(encodeEvent(event), encodeEvents([event]));
});

Deno.test("encodeEvents() puts events one behind the other, and writes nothing for nothing", () => {
  assertEquals(encoded({ data: "a" }, {}, { comments: [] }, { id: "" }), "data: a\n\nid: \n\n");
  assertEquals(encodeEvents([]), new Uint8Array());
  assertEquals(encoded({ data: undefined, id: undefined, retry: undefined }), "");
});

Deno.test("R39 encodeEvent() writes empty data", () => {
  assertEquals(encoded({ id: "7", data: "" }), "id: 7\ndata: \n\n");
  assertEquals(encoded({ data: new Uint8Array() }), "data: \n\n");
});

Deno.test("R44 data with line breaks is framed, and no event can be injected by it", () => {
  const texts = [
    "a\n\ndata: b\n\n",
    "a\r\rid: 1",
    "a\r\n\r\nevent: x\r\n",
    "\n",
    "\r",
    "\r\n",
    "a\n\rb",
    "a\r",
    `${"x".repeat(300)}\n${"y".repeat(300)}\r\r\n`,
  ];
  for (const text of texts) {
    for (const data of [text, utf8(text)]) {
      const { events, midEvent } = parseIn([1_000], encodeEvent({ data }));
      assertEquals(events, [{ data: text.replaceAll(/\r\n|\r/g, "\n") }]);
      assertEquals(midEvent, false);
    }
  }
});

Deno.test("R44 comments with line breaks stay comments", () => {
  assertEquals(encoded({ comments: ["a\ndata: b\r\n\rc"] }), ":a\n:data: b\n:\n:c\n\n");
});

Deno.test("R44 encodeEvent() refuses what an id, an event or a retry cannot say", () => {
  for (const text of ["a\nb", "\r", "a\r\n"]) {
    assertThrows(() => encodeEvent({ id: text }), TypeError, "id of an event");
    assertThrows(() => encodeEvent({ event: text }), TypeError, "name of an event");
  }
  assertThrows(() => encodeEvent({ id: "\0" }), TypeError, "NUL");
  for (const retry of [-1, 1.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => encodeEvent({ retry }), TypeError, "whole number");
  }
});

Deno.test("R45 U+2028 is written as it is, in text and in bytes", () => {
  assertEquals(
    encoded({ data: "a\u2028b" }, { data: utf8("\u2028") }),
    [
      "data: a\u2028b\n\n",
      "data: \u2028\n\n",
    ].join(""),
  );
});

Deno.test("R47 bytes that are no UTF-8 and no JSON pass through parser and encoder", () => {
  const stream = new Uint8Array([...utf8("data: "), 0xff, 0, 0xfe, 0x0a, 0x0a]);
  const events = new EventParser({ maxEventBytes: 100 }).feed(stream);
  assertEquals(encodeEvents(events), stream);
});

Deno.test("encodeEvents() grows its buffer for texts of any size", () => {
  for (const text of ["\u20ac".repeat(60), "\u20ac".repeat(10), "a".repeat(200)]) {
    assertEquals(encoded({ comments: [text, text] }), `:${text}\n:${text}\n\n`);
  }
  const long = "\u20ac".repeat(1_000);
  const event = { comments: [long, long], event: long, id: long, data: `${long}\n${long}` };
  assertEquals(parseIn([4_096], encodeEvents([event, event])).events, [event, event]);
});

const text = fc.string({ unit: "binary", maxLength: 40, size: "max" });
const lines = fc.array(fc.oneof(text, fc.constantFrom("\n", "\r", "\r\n", "data: ")), {
  maxLength: 5,
}).map((parts) => parts.join(""));
const oneLine = text.map((value) => value.replaceAll(/[\r\n\0]/g, " "));
const outEvents = fc.array(fc.record({
  id: fc.option(oneLine, { nil: undefined }),
  event: fc.option(oneLine, { nil: undefined }),
  retry: fc.option(fc.maxSafeNat(), { nil: undefined }),
  comments: fc.option(fc.array(lines, { maxLength: 3 }), { nil: undefined }),
  data: fc.option(fc.oneof(lines, lines.map(utf8)), { nil: undefined }),
}));

/** The event as it is read back: its line breaks are LF; undefined where it says nothing. */
function readBack({ id, event, retry, comments = [], data }: OutEvent): ShownEvent | undefined {
  const asText = data === undefined || typeof data === "string"
    ? data
    : new TextDecoder("utf-8", { ignoreBOM: true }).decode(data);
  const shownEvent = {
    ...(id === undefined ? {} : { id }),
    ...(event === undefined ? {} : { event }),
    ...(retry === undefined ? {} : { retry }),
    ...(comments.length === 0 ? {} : { comments: comments.flatMap((c) => c.split(/\r\n|\r|\n/)) }),
    ...(asText === undefined ? {} : { data: asText.replaceAll(/\r\n|\r/g, "\n") }),
  };
  return Object.keys(shownEvent).length === 0 ? undefined : shownEvent;
}

Deno.test("R44 what is encoded is parsed to the same events, however it is split", () => {
  fc.assert(fc.property(outEvents, fc.integer({ min: 1, max: 200 }), (events, length) => {
    const bytes = encodeEvents(events);
    const wanted = events.map(readBack).filter((event) => event !== undefined);
    assertEquals(parseIn([length], bytes), { events: wanted, midEvent: false });
  }));
});

Deno.test("R44 events that were parsed are encoded and parsed to the same events", () => {
  const stream = utf8(": a\r\nid: 1\rdata: b\n data: c\ndata:\n\nretry: 5\n\ndata: \u20ac\r\r");
  for (const lengths of splits(stream.length)) {
    const parser = new EventParser({ maxEventBytes: 1_000 });
    const again = [stream.subarray(0, lengths[0]), stream.subarray(lengths[0]!)]
      .map((piece) => encodeEvents(parser.feed(piece)));
    const bytes = new Uint8Array(again.flatMap((piece) => [...piece]));
    assertEquals(parseIn([1], bytes), parseIn([1], stream));
  }
});

Deno.test("encodeEvents() tells where each event ends", () => {
  const ends: number[] = [];
  const bytes = encodeEvents([{ data: "é" }, { comments: [" c"] }, {}, { id: "1" }], ends);
  const parts = ends.map((end, at) => bytes.slice(at === 0 ? 0 : ends[at - 1], end));
  const texts = parts.map((part) => new TextDecoder().decode(part));
  assertEquals(texts, ["data: é\n\n", ": c\n\n", "", "id: 1\n\n"]);
});
