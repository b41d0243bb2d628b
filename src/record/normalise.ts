/**
 * From what was recorded to what is written: secrets out, and what differs from one recording to the
 * next replaced by placeholders. Pure.
 *
 * Values are looked for in whole bodies, so that one that is split over pieces is found; it then
 * stands in the piece in which it begins. fixtures/README.md tells all of this in words.
 *
 * @module
 */

import {
  type Entry,
  HOST,
  LENGTH,
  placeholder,
  type PlaceholderKind,
  REDACTED,
} from "../../fixtures/format/mod.ts";
import { isEventStream } from "../sse/mod.ts";
import { fromBinary, utf8Text } from "./bytes.ts";
import { type Bodies, bodiesOf, type Body, bodyKey } from "./bodies.ts";
import { stringMembers } from "./members.ts";
import type { RawEntry, Recording } from "./recorder.ts";
import { type Field, isDistinct, isSecretKey, secretSpans, spellings } from "./redact.ts";
import {
  literalSpans,
  patternSpans,
  replaceWithin,
  settleSpans,
  type Span,
  type SpanKind,
} from "./spans.ts";

/** Fields that are about one connection or one day, and say nothing about the exchange. */
const DROPPED_FIELD =
  /^(connection|keep-alive|proxy-connection|transfer-encoding|te|trailer|upgrade|host|date|age|user-agent|accept-language|accept-encoding|sec-.*|traceparent|tracestate|baggage|via|forwarded|x-forwarded-.*|x-real-ip|x-request-id|x-correlation-id|x-trace-id|x-response-time|server-timing|cf-ray|x-amz.*)$/;

/** A secret, a host name or a session id is looked for everywhere if it has so many characters. */
const MIN_LITERAL_LENGTH = 8;

/** Beginnings of a secret at the end of a body that broke off count from so many characters. */
const MIN_CUT_LENGTH = 4;

/** Secrets and session ids that are looked for everywhere; those beyond only where they stand. */
const MAX_LITERALS = 1_024;

const UUID = /(?<![0-9A-Za-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z])/gid;
const TIME =
  /(?<!\d)\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?(?![\d:])/gd;
const SESSION_PARAMETER = /[?&](?:mcp_)?session_?id=([^&#\s"'\\]+)/gid;
const EVENT_ID = /(?<![^\r\n])id: ?([^\r\n ][^\r\n]*)/gd;
const ENDPOINT =
  /(?<![^\r\n])event: ?endpoint\r?\n?data: ?([^\r\n]+)|(?<![^\r\n])data: ?([^\r\n]+)\r?\n?event: ?endpoint(?![^\r\n])/g;

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
  const finder = new Finder(recording, bodies);
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
    const text = replaceWithin(body.text, spansOf(body), from, to, names.replace);
    // The whole of it is part of a value that stands in an earlier piece.
    if (text === "") return [];
    const common = { at: entry.at, exchange: entry.exchange, from: entry.from };
    const bytes = fromBinary(text);
    const readable = utf8Text(bytes);
    return readable === undefined
      ? [{ ...common, type: "bytes", base64: bytes.toBase64() }]
      : [{ ...common, type: "data", text: readable }];
  });
  return { entries, clean: (text) => names.in(text, finder.ofText(text)) };
}

function head(entry: Exclude<RawEntry, { type: "data" }>, finder: Finder, names: Names): Entry {
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

/** Gives each value its number, in the order in which they are met. */
class Names {
  readonly #numbers = new Map<PlaceholderKind, Map<string, number>>();

  readonly replace = ({ kind }: Span, value: string): string => {
    if (kind === "redacted") return REDACTED;
    if (kind === "host") return HOST;
    const known = this.#numbers.get(kind) ?? new Map<string, number>();
    this.#numbers.set(kind, known);
    const number = known.get(value) ?? known.size + 1;
    known.set(value, number);
    return placeholder(kind, number);
  };

  in(text: string, spans: readonly Span[]): string {
    return replaceWithin(text, spans, 0, text.length, this.replace);
  }
}

/** Knows what of this recording is looked for everywhere. */
class Finder {
  readonly #literals: { readonly text: string; readonly kind: SpanKind }[];
  readonly #host: RegExp | undefined;

  constructor(recording: Recording, bodies: Bodies) {
    const secrets = new Set(recording.secrets);
    const sessions = new Set<string>();
    for (const entry of recording.entries) {
      if (entry.type === "request") learnTarget(entry.target, sessions);
      if (entry.type !== "request" && entry.type !== "response") continue;
      for (const [name, value] of entry.fields) if (name === "mcp-session-id") sessions.add(value);
    }
    for (const { text, contentType } of bodies.values()) {
      learnSecrets(text, secrets);
      if (isEventStream(contentType)) learnEndpoint(text, sessions);
    }
    const literals = [
      ...[...secrets].flatMap(spellings).map((text) => ({ text, kind: "redacted" as const })),
      ...[...sessions].flatMap(spellings).map((text) => ({ text, kind: "session" as const })),
    ];
    this.#literals = literals.filter(({ text }) => text.length >= MIN_LITERAL_LENGTH)
      .slice(0, MAX_LITERALS);
    this.#host = hostPattern(recording.hosts);
  }

  /** What stands in a target or in the value of a field. */
  ofText(text: string): Span[] {
    return settleSpans([...this.#everywhere(text), ...secretSpans(text)], text.length);
  }

  /** What stands in a body. */
  ofBody({ text, contentType, contentCoding, pieces, whole }: Body): Span[] {
    // What cannot be read could hold anything.
    if (contentCoding !== undefined) {
      return pieces.map(({ start, end }) => ({ start, end, kind: "redacted" }));
    }
    const spans = [...this.#everywhere(text), ...secretSpans(text)];
    if (isEventStream(contentType)) spans.push(...patternSpans(text, EVENT_ID, "event", 1));
    if (!whole) spans.push(...this.#cut(text));
    // A state is named as a whole, which hides what it holds; signed ones look like tokens.
    const states = stateSpans(text);
    const outside = spans.filter((span) => !states.some((state) => contains(state, span)));
    return settleSpans([...states, ...outside], text.length);
  }

  #everywhere(text: string): Span[] {
    const spans = this.#literals.flatMap(({ text: literal, kind }) =>
      literalSpans(text, literal, kind)
    );
    spans.push(
      ...patternSpans(text, SESSION_PARAMETER, "session", 1),
      ...patternSpans(text, UUID, "uuid"),
      ...patternSpans(text, TIME, "time"),
    );
    if (this.#host !== undefined) spans.push(...patternSpans(text, this.#host, "host"));
    return spans;
  }

  /** The beginning of a secret, where a body breaks off in the middle of it. */
  #cut(text: string): Span[] {
    return this.#literals.flatMap(({ text: literal, kind }): Span[] => {
      for (let length = literal.length - 1; length >= MIN_CUT_LENGTH; length--) {
        if (!text.endsWith(literal.slice(0, length))) continue;
        return [{ start: text.length - length, end: text.length, kind }];
      }
      return [];
    });
  }
}

function contains(outer: Span, inner: Span): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

function stateSpans(text: string): Span[] {
  return stringMembers(text).filter(({ key }) => key === "requestState")
    .map(({ start, end }) => ({ start, end, kind: "state" }));
}

function learnSecrets(text: string, secrets: Set<string>): void {
  for (const { key, start, end } of stringMembers(text)) {
    const value = text.slice(start, end);
    if (isSecretKey(key) && isDistinct(value)) secrets.add(value);
  }
}

function learnTarget(target: string, sessions: Set<string>): void {
  for (const [, id] of target.matchAll(SESSION_PARAMETER)) sessions.add(id!);
}

/** The URL of an HTTP+SSE endpoint names the session in its query, or as a UUID in its path. */
function learnEndpoint(text: string, sessions: Set<string>): void {
  for (const match of text.matchAll(ENDPOINT)) {
    const url = match[1] ?? match[2]!;
    learnTarget(url, sessions);
    for (const [id] of url.matchAll(UUID)) sessions.add(id);
  }
}

function hostPattern(hosts: readonly string[]): RegExp | undefined {
  const names = new Set(hosts.flatMap(aliases));
  const parts = [...names].toSorted((a, b) => b.length - a.length).flatMap((name) => {
    const encoded = encodeURIComponent(name);
    const plain = `(?<![A-Za-z0-9.-])${escape(name)}(?![A-Za-z0-9-]|\\.[A-Za-z0-9]|:\\d)`;
    return encoded === name ? [plain] : [plain, `${escape(encoded)}(?!\\d)`];
  });
  return parts.length === 0 ? undefined : new RegExp(parts.join("|"), "gid");
}

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(?=:\d+$)/i;

/** The other names of an address of this machine. */
function aliases(host: string): string[] {
  if (!LOOPBACK.test(host)) return [host];
  return ["127.0.0.1", "localhost", "[::1]"].map((name) => host.replace(LOOPBACK, name));
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
