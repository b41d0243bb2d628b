/**
 * What is taken out of a recording or replaced by a placeholder, and where it stands. Pure.
 *
 * @module
 */

import { HOST, placeholder, type PlaceholderKind, REDACTED } from "../../fixtures/format/mod.ts";
import { isEventStream } from "../sse/mod.ts";
import type { Body } from "./bodies.ts";
import { stringMembers } from "./members.ts";
import type { RawEntry } from "./recorder.ts";
import { isDistinct, isSecretKey, secretSpans, spellings } from "./redact.ts";
import {
  literalSpans,
  patternSpans,
  replaceWithin,
  settleSpans,
  type Span,
  type SpanKind,
} from "./spans.ts";

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

/** Gives each value its number, in the order in which they are met. */
export class Names {
  readonly #numbers = new Map<PlaceholderKind, Map<string, number>>();

  /** What stands for the value of a span. */
  readonly replace = ({ kind }: Span, value: string): string => {
    if (kind === "redacted") return REDACTED;
    if (kind === "host") return HOST;
    const known = this.#numbers.get(kind) ?? new Map<string, number>();
    this.#numbers.set(kind, known);
    const number = known.get(value) ?? known.size + 1;
    known.set(value, number);
    return placeholder(kind, number);
  };

  /** A text with all of its spans replaced. */
  in(text: string, spans: readonly Span[]): string {
    return replaceWithin(text, spans, 0, text.length, this.replace);
  }
}

/** What is known of a recording beside what it holds; both may grow. */
export interface Known {
  /** `host:port` of the server, and the names by which clients called. */
  readonly hosts: ReadonlySet<string>;
  /** Secrets that heads held. */
  readonly secrets: ReadonlySet<string>;
}

/** Something that is looked for wherever it may stand. */
interface Literal {
  readonly text: string;
  readonly kind: SpanKind;
}

/** Knows what of a recording is looked for everywhere, of all that it was shown. */
export class Finder {
  readonly #known: Known;
  /** Secrets that bodies hold. */
  readonly #secrets = new Set<string>();
  readonly #sessions = new Set<string>();
  #literals: { readonly of: number; readonly list: readonly Literal[] } | undefined;
  #host: { readonly of: number; readonly pattern: RegExp | undefined } | undefined;

  /** A finder that was shown nothing yet. */
  constructor(known: Known) {
    this.#known = known;
  }

  /** Learns from the head of a request or an answer. */
  learnHead(entry: RawEntry): void {
    if (entry.type === "request") learnTarget(entry.target, this.#sessions);
    if (entry.type !== "request" && entry.type !== "response") return;
    for (const [name, value] of entry.fields) {
      if (name === "mcp-session-id") this.#sessions.add(value);
    }
  }

  /** Learns from a body, or from a part of one that stands for itself. */
  learnBody({ text, contentType }: Pick<Body, "text" | "contentType">): void {
    learnSecrets(text, this.#secrets);
    if (isEventStream(contentType)) learnEndpoint(text, this.#sessions);
  }

  /** What is looked for everywhere. */
  get literals(): readonly Literal[] {
    const [secrets, own, sessions] = [this.#known.secrets, this.#secrets, this.#sessions];
    const of = secrets.size + own.size + sessions.size;
    if (this.#literals?.of === of) return this.#literals.list;
    const all = [
      ...[...new Set([...secrets, ...own])].flatMap(spellings)
        .map((text) => ({ text, kind: "redacted" as const })),
      ...[...sessions].flatMap(spellings).map((text) => ({ text, kind: "session" as const })),
    ];
    const list = all.filter(({ text }) => text.length >= MIN_LITERAL_LENGTH).slice(0, MAX_LITERALS);
    this.#literals = { of, list };
    return list;
  }

  get #hosts(): RegExp | undefined {
    const { hosts } = this.#known;
    if (this.#host?.of !== hosts.size) {
      this.#host = { of: hosts.size, pattern: hostPattern([...hosts]) };
    }
    return this.#host!.pattern;
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
    const spans = this.literals.flatMap(({ text: literal, kind }) =>
      literalSpans(text, literal, kind)
    );
    spans.push(
      ...patternSpans(text, SESSION_PARAMETER, "session", 1),
      ...patternSpans(text, UUID, "uuid"),
      ...patternSpans(text, TIME, "time"),
    );
    const host = this.#hosts;
    if (host !== undefined) spans.push(...patternSpans(text, host, "host"));
    return spans;
  }

  /** The beginning of a secret, where a body breaks off in the middle of it. */
  #cut(text: string): Span[] {
    return this.literals.flatMap(({ text: literal, kind }): Span[] => {
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
