/**
 * The lines of a recording while it grows, so that they can be written before it is over. Pure.
 *
 * A body is treated as a whole, because a secret may be split over its pieces: so its lines come when it is over,
 * those of an event stream with each event that is whole. What is learned later to be a secret is taken out of the
 * lines that are there. When the recording is over it is made anew from all that is known then (`normalise.ts`):
 * numbers of placeholders, and the order of lines of bodies that came in pieces, may differ from these.
 *
 * @module
 */

import { type Entry, REDACTED } from "../../fixtures/format/mod.ts";
import { isEventStream } from "../sse/mod.ts";
import { bodyKey, contentOf } from "./bodies.ts";
import { fromBinary, toBinary, utf8Text } from "./bytes.ts";
import { Finder, type Known, Names } from "./finder.ts";
import { head, pieceOf } from "./normalise.ts";
import type { DataEntry, RawEntry, Side } from "./recorder.ts";
import type { Field } from "./redact.ts";
import { replaceWithin } from "./spans.ts";

/** One side of an exchange that is not over. */
interface OpenBody {
  readonly fields: readonly Field[];
  /** Its pieces that stand in no line yet. */
  pieces: DataEntry[];
}

/** A line, and what it was made of. */
interface Line {
  readonly raw: RawEntry;
  entry: Entry;
}

/** The lines of a recording that grows. */
export class GrowingLines {
  readonly #finder: Finder;
  readonly #names = new Names();
  readonly #open = new Map<string, OpenBody>();
  #lines: Line[] = [];
  /** What the lines were cleaned of. */
  readonly #cleanedOf = new Set<string>();
  #changes = 0;

  /** No lines yet; `known` is read whenever something is looked for. */
  constructor(known: Known) {
    this.#finder = new Finder(known);
  }

  /** What may be written now, in its order. */
  get entries(): readonly Entry[] {
    return this.#lines.map(({ entry }) => entry);
  }

  /** How often anything was changed but by adding lines at the end. */
  get changes(): number {
    return this.#changes;
  }

  /** Another text of the recording, such as the name of its server, treated as its lines are. */
  clean(text: string): string {
    return this.#names.in(text, this.#finder.ofText(text));
  }

  /** Takes what was recorded next. */
  add(entry: RawEntry): void {
    const key = bodyKey(entry);
    if (entry.type === "data") {
      const body = this.#open.get(key);
      body?.pieces.push(entry);
      if (body !== undefined && isWholeEvents(body)) this.#settle(entry, body, true);
      return;
    }
    this.#finder.learnHead(entry);
    if (entry.type === "request" || entry.type === "response") {
      this.#open.set(key, { fields: entry.fields, pieces: [] });
    } else if (entry.type === "end") this.#over(entry, entry.from, true);
    else for (const from of ["client", "server"] as const) this.#over(entry, from, false);
    this.#cleanAll();
    this.#lines.push({ raw: entry, entry: head(entry, this.#finder, this.#names) });
  }

  /** Takes back an entry that something else stands for now. */
  drop(entry: RawEntry): void {
    const before = this.#lines.length;
    this.#lines = this.#lines.filter(({ raw }) => raw !== entry);
    if (this.#lines.length < before) this.#changes++;
  }

  #over({ exchange }: RawEntry, from: Side, whole: boolean): void {
    const key = bodyKey({ exchange, from });
    const body = this.#open.get(key);
    this.#open.delete(key);
    if (body !== undefined && body.pieces.length > 0) this.#settle(body.pieces[0]!, body, whole);
  }

  /** Makes lines of the pieces of a body, or of whole events of one. */
  #settle({ exchange, from }: RawEntry, body: OpenBody, whole: boolean): void {
    const { pieces } = body;
    body.pieces = [];
    let at = 0;
    const part = {
      exchange,
      from,
      text: pieces.map(({ bytes }) => toBinary(bytes)).join(""),
      pieces: pieces.map(({ bytes }) => ({ start: at, end: at += bytes.length })),
      ...contentOf(body.fields),
      whole,
    };
    this.#finder.learnBody(part);
    this.#cleanAll();
    const spans = this.#finder.ofBody(part);
    for (const [index, { start, end }] of part.pieces.entries()) {
      const raw = pieces[index]!;
      const text = replaceWithin(part.text, spans, start, end, this.#names.replace);
      for (const entry of pieceOf(raw, text)) this.#lines.push({ raw, entry });
    }
  }

  /** Takes secrets that were learned since out of the lines that are there. */
  #cleanAll(): void {
    const { literals } = this.#finder;
    const secrets = literals.flatMap(({ kind, text }) =>
      kind === "redacted" && !this.#cleanedOf.has(text) ? [text] : []
    );
    if (secrets.length === 0) return;
    for (const secret of secrets) this.#cleanedOf.add(secret);
    for (const line of this.#lines) {
      const cleaned = without(line.entry, secrets);
      if (cleaned === line.entry) continue;
      line.entry = cleaned;
      this.#changes++;
    }
  }
}

/** Whether the pieces of an event stream end between two events. */
function isWholeEvents({ fields, pieces }: OpenBody): boolean {
  const { contentType, contentCoding } = contentOf(fields);
  if (!isEventStream(contentType) || contentCoding !== undefined) return false;
  const tail = pieces.slice(-4).map(({ bytes }) => toBinary(bytes.subarray(-4))).join("");
  return /(\n\n|\r\r|\r\n\r\n)$/.test(tail);
}

/** An entry without secrets, itself where it has none. */
function without(entry: Entry, secrets: readonly string[]): Entry {
  const clean = (text: string) =>
    secrets.reduce((left, secret) => left.replaceAll(secret, REDACTED), text);
  const cleanText = (text: string) => {
    if (secrets.every(isAscii)) return clean(text);
    // Secrets are found in bytes: one that is no ASCII looks another way in text.
    return utf8Text(fromBinary(clean(toBinary(new TextEncoder().encode(text))))) ?? REDACTED;
  };
  switch (entry.type) {
    case "data": {
      const text = cleanText(entry.text);
      return text === entry.text ? entry : { ...entry, text };
    }
    case "bytes": {
      const binary = toBinary(Uint8Array.fromBase64(entry.base64));
      const cleaned = clean(binary);
      return cleaned === binary ? entry : { ...entry, base64: fromBinary(cleaned).toBase64() };
    }
    case "request":
    case "response": {
      const fields = entry.fields.map(([name, value]): [string, string] => [name, clean(value)]);
      const isSame = fields.every(([, value], at) => value === entry.fields[at]![1]);
      if (entry.type === "response") return isSame ? entry : { ...entry, fields };
      const target = clean(entry.target);
      return isSame && target === entry.target ? entry : { ...entry, fields, target };
    }
    default:
      return entry;
  }
}

function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text);
}
