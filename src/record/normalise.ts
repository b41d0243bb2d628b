/**
 * From what was recorded to what is written: secrets out, and what differs from one recording to the
 * next replaced by placeholders. Pure.
 *
 * Values are looked for in whole bodies, so that one that is split over pieces is found; it then
 * stands in the piece in which it begins. fixtures/README.md tells all of this in words.
 *
 * @module
 */

import { type Entry, LENGTH } from "../../fixtures/format/mod.ts";
import { fromBinary, utf8Text } from "./bytes.ts";
import { bodiesOf, type Body, bodyKey } from "./bodies.ts";
import { Finder, Names } from "./finder.ts";
import type { RawEntry, Recording } from "./recorder.ts";
import type { Field } from "./redact.ts";
import { replaceWithin, type Span, type SpanKind } from "./spans.ts";

/** Fields that are about one connection or one day, and say nothing about the exchange. */
const DROPPED_FIELD =
  /^(connection|keep-alive|proxy-connection|transfer-encoding|te|trailer|upgrade|host|date|age|user-agent|accept-language|accept-encoding|sec-.*|traceparent|tracestate|baggage|via|forwarded|x-forwarded-.*|x-real-ip|x-request-id|x-correlation-id|x-trace-id|x-response-time|server-timing|cf-ray|x-amz.*)$/;

/** What is written of a recording. */
export interface Normalised {
  /** The entries of the file. */
  readonly entries: Entry[];
  /** Another text of the recording, such as the name of its server, treated alike. */
  clean(text: string): string;
}

/** What is written of `recording`. */
export function normalise(recording: Recording): Normalised {
  const bodies = bodiesOf(recording.entries);
  const finder = new Finder({
    hosts: new Set(recording.hosts),
    secrets: new Set(recording.secrets),
  });
  for (const entry of recording.entries) finder.learnHead(entry);
  for (const body of bodies.values()) finder.learnBody(body);
  const names = new Names();
  const settled = new Map<Body, Span[]>();
  const spansOf = (body: Body) => {
    const known = settled.get(body) ?? finder.ofBody(body);
    settled.set(body, known);
    return known;
  };
  const at = new Map<Body, number>();
  const entries = recording.entries.flatMap((entry): Entry[] => {
    if (entry.type !== "data") return [head(entry, finder, names)];
    const body = bodies.get(bodyKey(entry))!;
    const from = at.get(body) ?? 0;
    const to = from + entry.bytes.length;
    at.set(body, to);
    return pieceOf(entry, replaceWithin(body.text, spansOf(body), from, to, names.replace));
  });
  return { entries, clean: (text) => names.in(text, finder.ofText(text)) };
}

/** The entry of a piece of a body of which `text` is left, one character a byte. */
export function pieceOf(
  { at, exchange, from }: RawEntry,
  text: string,
): [] | [Extract<Entry, { type: "data" | "bytes" }>] {
  // The whole of it is part of a value that stands in an earlier piece.
  if (text === "") return [];
  const common = { at, exchange, from };
  const bytes = fromBinary(text);
  const readable = utf8Text(bytes);
  return readable === undefined
    ? [{ ...common, type: "bytes", base64: bytes.toBase64() }]
    : [{ ...common, type: "data", text: readable }];
}

/** The entry of anything but a piece of a body. */
export function head(
  entry: Exclude<RawEntry, { type: "data" }>,
  finder: Finder,
  names: Names,
): Entry {
  const { at, exchange } = entry;
  switch (entry.type) {
    case "request":
      return {
        at,
        exchange,
        from: entry.from,
        type: entry.type,
        method: entry.method,
        target: names.in(entry.target, finder.ofText(entry.target)),
        fields: fieldsOf(entry.fields, finder, names),
      };
    case "response":
      return {
        at,
        exchange,
        from: entry.from,
        type: entry.type,
        status: entry.status,
        fields: fieldsOf(entry.fields, finder, names),
      };
    default:
      return { at, exchange, from: entry.from, type: entry.type };
  }
}

/** Fields whose value is one thing as a whole. */
const WHOLE_FIELDS: Readonly<Record<string, SpanKind>> = {
  "mcp-session-id": "session",
  "last-event-id": "event",
};

function fieldsOf(fields: readonly Field[], finder: Finder, names: Names): [string, string][] {
  return fields.map(([name, value]): Field => [name.toLowerCase(), value])
    .filter(([name]) => !DROPPED_FIELD.test(name))
    .map(([name, value]) => {
      if (name === "content-length") return [name, LENGTH];
      const kind = Object.hasOwn(WHOLE_FIELDS, name) ? WHOLE_FIELDS[name]! : undefined;
      if (kind === undefined || value === "") return [name, names.in(value, finder.ofText(value))];
      return [name, names.in(value, [{ start: 0, end: value.length, kind }])];
    });
}
