/**
 * JSON-RPC messages as text: what they say, and exchanging stretches of them while every other character
 * stays as it was. Pure.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import { elements, MAX_KEPT_PARSED, type Member, members, Parsed, type Span } from "../json/mod.ts";

/** One message: its text, and what it says. */
export interface RpcText {
  /** The message alone, exactly as it was written. */
  readonly text: string;
  /** The same, parsed. */
  readonly value: Readonly<Record<string, unknown>>;
  /** Where its members stand in `text`. */
  readonly members: readonly Member[];
}

/** One message, or several where it was a JSON array. */
export interface RpcBody {
  /** Whether it was an array. */
  readonly batch: boolean;
  /** The messages in it. */
  readonly messages: readonly RpcText[];
}

/** What is put in the place of a stretch of text. */
export interface Edit {
  /** The stretch. */
  readonly span: Span;
  /** What stands there afterwards. */
  readonly text: string;
}

/** What an id or a token is found by: the same for two spellings of one string or whole number. */
export type Key = string;

/** The messages in a text; undefined where it is no JSON, or holds something else than objects. */
export function readBody(text: string): RpcBody | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (isRecord(value)) return { batch: false, messages: [message(text, value)] };
  if (!Array.isArray(value) || value.length === 0 || !value.every(isRecord)) return undefined;
  const spans = elements(text);
  const messages = value.map((one, at) =>
    message(text.slice(spans[at]!.start, spans[at]!.end), one)
  );
  return { batch: true, messages };
}

/** Messages as one body again. */
export function joined(texts: readonly string[], batch: boolean): string {
  return batch ? `[${texts.join(",")}]` : texts[0]!;
}

/** Which of the three kinds of JSON-RPC message it is; undefined for none. */
export function kindOf({ value }: RpcText): "request" | "notification" | "response" | undefined {
  if (typeof value.method === "string") return hasId(value) ? "request" : "notification";
  return Object.hasOwn(value, "result") || Object.hasOwn(value, "error") ? "response" : undefined;
}

/** Where the value at the end of a path of keys stands; the last one where a key is repeated, as `JSON.parse` has it. */
export function spanOf(
  { text, members: top }: RpcText,
  path: readonly string[],
): Span | undefined {
  let found: readonly Member[] = top;
  let span: Span | undefined;
  for (const key of path) {
    if (span !== undefined) {
      if (text[span.start] !== "{") return undefined;
      found = members(text, span.start);
    }
    span = found.findLast((member) => member.key === key);
    if (span === undefined) return undefined;
  }
  return span;
}

/** What stands at the end of a path of keys, exactly as it was written. */
export function textAt(message: RpcText, path: readonly string[]): string | undefined {
  const span = spanOf(message, path);
  return span && message.text.slice(span.start, span.end);
}

/** A message with other texts at the ends of some paths; paths that are not there are passed over. */
export function withTexts(
  message: RpcText,
  ...changes: readonly (readonly [path: readonly string[], text: string])[]
): string {
  const edits = changes.flatMap(([path, text]) => {
    const span = spanOf(message, path);
    return span === undefined ? [] : [{ span, text }];
  });
  return splice(message.text, edits);
}

/** The key of an id or token; undefined for what is none. */
export function keyOf(text: string | undefined): Key | undefined {
  if (text === undefined) return undefined;
  if (text.startsWith('"')) return `s${JSON.parse(text)}`;
  if (!/^[-\d]/.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? `n${number}` : `n${text}`;
}

/** A name of the same JSON type as the id or token `text`: number for number, string for string. */
export function likeType(text: string, serial: number): string {
  return text.startsWith('"') ? `"switchyard-${serial}"` : `${serial}`;
}

/** A value inside values; undefined where there is none. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (!isRecord(found) || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found;
}

/** Whether a value is an object and no array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Bytes as text. */
export function decode(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

/** Text as bytes. */
export function encode(text: string): Bytes {
  return encoder.encode(text);
}

/** Text as the value of a header field, a character for each byte of its UTF-8 (WHATWG HTML 9.2.3). */
export function headerForm(text: string): string {
  let value = "";
  for (const byte of encoder.encode(text)) value += String.fromCharCode(byte);
  return value;
}

function message(text: string, value: Record<string, unknown>): RpcText {
  return text.length > MAX_KEPT_PARSED
    ? new LongText(text, value)
    : { text, value, members: members(text) };
}

/** A long message: a bridge may hold it for as long as its call lasts. */
class LongText implements RpcText {
  readonly text: string;
  readonly members: readonly Member[];
  readonly #value: Parsed<RpcText["value"]>;

  constructor(text: string, value: RpcText["value"]) {
    this.text = text;
    this.members = members(text);
    this.#value = new Parsed(value, () => JSON.parse(text));
  }

  get value(): RpcText["value"] {
    return this.#value.value;
  }
}

function hasId(value: Readonly<Record<string, unknown>>): boolean {
  return Object.hasOwn(value, "id") && value.id !== null;
}

/** A text with some stretches exchanged, which must not overlap; of two at one place the first comes first. */
export function splice(text: string, edits: readonly Edit[]): string {
  if (edits.length === 0) return text;
  let spliced = "";
  let from = 0;
  for (const { span, text: put } of edits.toSorted((a, b) => a.span.start - b.span.start)) {
    spliced += text.slice(from, span.start) + put;
    from = span.end;
  }
  return spliced + text.slice(from);
}
