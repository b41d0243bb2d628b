/**
 * Event streams written in all the ways that the HTML standard (section 9.2.5 "Parsing an event
 * stream") allows, and some that it passes over. Data.
 *
 * In the texts `@1` to `@9` stand for progress notifications, `@R` for the response, `@L` for the
 * response written over several lines of `data`, `@C` for the same with CRLF between them.
 *
 * @module
 */

/** Streams that are about the same rule. */
export interface FormatTheme {
  /** The id of the check. */
  readonly id: string;
  /** The rule. */
  readonly title: string;
  /** Where it stands, beside the standard itself. */
  readonly source: string;
  /** What each stream is about, and its text. */
  readonly streams: readonly (readonly [name: string, text: string])[];
}

const HTML = "HTML 9.2.5 and 9.2.6; R34";

/** All themes. */
export const FORMATS: readonly FormatTheme[] = [
  {
    id: "events.line-endings",
    title: "lines may end in LF, CR or CRLF, mixed, wherever the bytes are cut",
    source: `${HTML}, R35`,
    streams: [
      ["LF", "data: @1\n\ndata: @R\n\n"],
      ["CRLF", "data: @1\r\n\r\ndata: @R\r\n\r\n"],
      ["CR", "data: @1\r\rdata: @R\r\r"],
      ["CRLF inside events", "event: other\r\ndata: @1\r\n\r\n@C\r\n\r\n"],
      ["LF CR as two endings", "data: @1\n\rdata: @R\n\r"],
      ["CRLF, then CR", "data: @1\r\n\rdata: @2\r\r\ndata: @R\n\r\n"],
      ["each line another", "event: message\rdata: @1\r\n\ndata: @R\n\r\n"],
      ["empty lines in between", "\n\r\n\r\rdata: @1\n\n\n\r\n\r\n\rdata: @R\n\n\n"],
    ],
  },
  {
    id: "events.fields",
    title: "fields are told by their exact names, unknown ones are passed over",
    source: HTML,
    streams: [
      ["no space behind the colon", "data:@1\n\ndata:@R\n\n"],
      ["one space and more behind the colon", "data:  @1\n\ndata:   @R\n\n"],
      ["a name with a space before it", " data: @1\ndata: @R\n\n"],
      ["a name with a space behind it", "data : @1\ndata: @R\n\n"],
      ["names in upper case", "DATA: @1\nData: @2\ndata: @R\n\n"],
      ["unknown fields", "name: x\ndata: @1\nother\nx:y:z\n\nfoo: @2\n\ndata: @R\n\n"],
      ["a block without data", "event: message\n\nretry\n\ndata: @R\n\n"],
    ],
  },
  {
    id: "events.event-field",
    title: "the event field names the type of its own event alone",
    source: `${HTML}, R47`,
    streams: [
      ["message", "event: message\ndata: @1\n\nevent:message\ndata: @R\n\n"],
      ["without a value", "event\ndata: @1\n\nevent:\ndata: @R\n\n"],
      ["behind the data", "data: @1\nevent: message\n\ndata: @R\n\n"],
      ["the last one counts", "event: other\nevent: message\ndata: @1\n\ndata: @R\n\n"],
      ["another type, not carried over", "event: other\ndata: @1\n\ndata: @2\n\ndata: @R\n\n"],
      ["dropped with a block without data", "event: other\n\ndata: @1\n\ndata: @R\n\n"],
    ],
  },
  {
    id: "events.data-lines",
    title: "the lines of data of one event are joined by LF",
    source: HTML,
    streams: [
      ["several lines", "data: @1\n\n@L\n\n"],
      ["an empty line before and behind", "data\ndata: @1\ndata:\n\ndata:\ndata: @R\ndata\n\n"],
      ["other fields in between", "data:\nevent: message\ndata: @1\n: x\ndata:\n\ndata: @R\n\n"],
    ],
  },
  {
    id: "events.comments-never-dispatch",
    title: "comments may stand anywhere and are no event and no field",
    source: `${HTML}, R40; 2026-07-28 basic/transports/streamable-http "Receiving Messages"`,
    streams: [
      ["alone", ":\n\n: keep-alive\n\ndata: @1\n\n:\n\ndata: @R\n\n"],
      ["as the specification writes it", ":\r\n\r\ndata: @1\n\n:\r\ndata: @R\r\n\r\n"],
      ["inside an event", ": a\ndata: @1\n: b\nevent: message\n: c\n\ndata: @R\n\n"],
      ["with fields in them", ":data: @2\n\n: event: other\ndata: @1\n:data: @3\n\ndata: @R\n\n"],
      ["long", `:${"x".repeat(500)}\ndata: @1\n\ndata: @R\n\n`],
    ],
  },
  {
    id: "events.byte-order-mark",
    title: "a BOM is passed over at the very start and nowhere else",
    source: `${HTML}, R36`,
    streams: [
      ["at the start", "\uFEFFdata: @1\n\ndata: @R\n\n"],
      ["two at the start", "\uFEFF\uFEFFdata: @1\n\ndata: @R\n\n"],
      ["before a later event", "data: @1\n\n\uFEFFdata: @2\n\ndata: @R\n\n"],
      ["before a comment", "\uFEFF: x\ndata: @1\n\ndata: @R\n\n"],
    ],
  },
  {
    id: "events.characters",
    title: "characters of several bytes survive being cut, and no other one ends a line",
    source: `${HTML}, R45, R46`,
    streams: [
      ["two to four bytes", "data: @4\n\ndata: @5\n\ndata: @R\n\n"],
      ["U+2028, U+2029 and U+0085", "data: @6\n\ndata: @R\n\n"],
      ["a BOM inside data", "data: @7\n\ndata: @R\n\n"],
    ],
  },
  {
    id: "events.open-at-the-end",
    title: "an event that the end of the stream cuts is not dispatched",
    source: `${HTML}, R41`,
    streams: [
      ["no line ending", "data: @R\n\ndata: @1"],
      ["no empty line", "data: @R\n\ndata: @1\n"],
      ["no empty line, CRLF", "data: @R\r\n\r\nevent: message\r\ndata: @1\r\n"],
    ],
  },
];

/** The texts in the progress notifications whose numbers have one. */
export const MESSAGES: Readonly<Record<number, string>> = {
  4: "é ß 漢字 ‰",
  5: "😀 👩‍👩‍👧 𝒳",
  6: "a\u2028b\u2029c\u0085d",
  7: "a\uFEFFb",
};
