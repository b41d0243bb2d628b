/**
 * Reading the head of an HTTP/1.1 message. Pure: bytes in, head out.
 *
 * Source: RFC 9112 sections 2.2 and 5. Strict where leniency lets two readers disagree: bare LF,
 * folded lines and white space before a colon are errors.
 *
 * @module
 */

import { detached, ReadFields } from "../http/mod.ts";
import { type HeadResult, KeptHead, type RepeatRules } from "./kept_head.ts";
import { latin1 } from "./latin1.ts";
import { HttpSyntaxError } from "./syntax.ts";

/** How one kind of head is made of its lines. */
export interface HeadRules<T extends { readonly fields: ReadFields }> extends RepeatRules<T> {
  /** Most fields. */
  readonly maxFields: number;
  /** Longest first line, in bytes. */
  readonly maxFirstLineBytes: number;
  /** Whether an empty line ahead of the first is skipped. */
  readonly skipsEmptyLine: boolean;
  /**
   * The head that `firstLine` and the fields are; asks for them once the line is found sound.
   *
   * @throws {HttpSyntaxError} where they are none.
   */
  head(firstLine: string, fields: () => ReadFields): T;
}

/** Largest head, in bytes. */
export const MAX_HEAD_BYTES = 65_536;

const NOTHING = new Uint8Array();
const LF = 0x0a;
const CR = 0x0d;
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const CONTROL_BUT_LINE_ENDS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)/;

/** Names found sound before, each with its form in lower case; most heads have the same few. */
const KNOWN_NAMES = new Map<string, string>();
/** Most of them, so that odd names do not fill the memory. */
const MAX_KNOWN_NAMES = 256;
/** Longest of them. */
const MAX_KNOWN_NAME_LENGTH = 40;

/** Puts a head together from pieces of any size, in time linear in its length. */
export class HeadReader<T extends { readonly fields: ReadFields }> {
  readonly #rules: HeadRules<T>;
  #kept = NOTHING;
  #keptLength = 0;
  #firstLineSeen = false;
  readonly #last: KeptHead<T>;

  /** A reader of heads that follow `rules`, one after the other. */
  constructor(rules: HeadRules<T>) {
    this.#rules = rules;
    this.#last = new KeptHead(rules);
  }

  /**
   * Takes the next piece; the result is undefined while the head goes on.
   *
   * @throws {HttpSyntaxError} as soon as it is plain that this is no head, or one too large.
   */
  feed(piece: Uint8Array): HeadResult<T> | undefined {
    const before = this.#keptLength;
    const known = before === 0 ? this.#last.read(piece) : undefined;
    if (known !== undefined) return known;
    const bytes = before === 0 ? piece : this.#keep(piece);
    const end = headEnd(bytes, before);
    if (end === -1) {
      if (bytes.length > MAX_HEAD_BYTES) throw tooLarge();
      this.#checkFirstLine(bytes);
      if (before === 0) this.#keep(piece);
      return undefined;
    }
    if (end > MAX_HEAD_BYTES) throw tooLarge();
    this.#keptLength = 0;
    this.#firstLineSeen = false;
    const whole = bytes.subarray(0, end);
    const head = parseHead(whole, this.#rules);
    this.#last.keep(whole, head);
    return { head, consumed: end - before };
  }

  /** Whoever reads here will have no use for the last head for long: it takes no memory. */
  forget(): void {
    this.#last.forget();
  }

  /** Whether part of a head has come. */
  get begun(): boolean {
    return this.#keptLength > 0;
  }

  /** Looks once, where a first line that is too long would show, whether it has come to its end. */
  #checkFirstLine(bytes: Uint8Array): void {
    const { maxFirstLineBytes } = this.#rules;
    // Its CRLF, and one that may stand before it.
    const longest = maxFirstLineBytes + 4;
    if (this.#firstLineSeen || bytes.length < longest) return;
    if (bytes.subarray(2, longest).indexOf(LF) === -1) throw firstLineTooLong(maxFirstLineBytes);
    this.#firstLineSeen = true;
  }

  /** Appends to what is kept, in a buffer that doubles. */
  #keep(piece: Uint8Array): Uint8Array {
    const length = this.#keptLength + piece.length;
    if (length > this.#kept.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#kept.length, 512));
      larger.set(this.#kept.subarray(0, this.#keptLength));
      this.#kept = larger;
    }
    this.#kept.set(piece, this.#keptLength);
    this.#keptLength = length;
    return this.#kept.subarray(0, length);
  }
}

/** The index behind the empty line that ends the head, or -1; bytes before `from` were seen before. */
function headEnd(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(LF, Math.max(0, from - 3));
  while (at !== -1) {
    // Said at once: the empty line of a head with bare LFs may never come.
    if (bytes[at - 1] !== CR) throw new HttpSyntaxError("a line of the head ends in a bare LF");
    if (at >= 3 && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1;
    at = bytes.indexOf(LF, at + 1);
  }
  return -1;
}

/** The head in `bytes`, which end with its empty line. */
function parseHead<T extends { readonly fields: ReadFields }>(
  bytes: Uint8Array,
  rules: HeadRules<T>,
): T {
  // Each line with its CRLF.
  const text = latin1(bytes.subarray(0, bytes.length - 2));
  // A server skips an empty line ahead of a request (RFC 9112 section 2.2), a client none.
  const start = rules.skipsEmptyLine && text.length > 2 && text.startsWith("\r\n") ? 2 : 0;
  const end = text.indexOf("\r\n", start);
  if (end - start > rules.maxFirstLineBytes) throw firstLineTooLong(rules.maxFirstLineBytes);
  return rules.head(text.slice(start, end), () => parseFields(text, end + 2, rules.maxFields));
}

/** The fields in `text` from `from` on; each line has its CRLF. */
function parseFields(text: string, from: number, maxFields: number): ReadFields {
  // Looked for once in all lines, and only where there is one in each.
  const suspicious = CONTROL_BUT_LINE_ENDS.test(text);
  const list: string[] = [];
  for (let at = from; at < text.length;) {
    const end = text.indexOf("\r\n", at);
    const colon = text.indexOf(":", at);
    const name = fieldName(text.slice(at, colon === -1 || colon > end ? at : colon));
    if (suspicious && CONTROL.test(text.slice(colon, end))) {
      throw new HttpSyntaxError(`the field ${name} holds control characters`);
    }
    list.push(name, trimmed(text, colon + 1, end));
    if (list.length > 2 * maxFields) {
      throw new HttpSyntaxError(`the head has more than ${maxFields} fields`, "headTooLarge");
    }
    at = end + 2;
  }
  return new ReadFields(list);
}

/** A name in lower case. */
function fieldName(name: string): string {
  const known = KNOWN_NAMES.get(name);
  if (known !== undefined) return known;
  if (!NAME.test(name)) throw new HttpSyntaxError("a field has no valid name");
  const lower = name.toLowerCase();
  if (KNOWN_NAMES.size < MAX_KNOWN_NAMES && name.length <= MAX_KNOWN_NAME_LENGTH) {
    // A name cut out of a head would keep the whole head in memory.
    KNOWN_NAMES.set(detached(name), detached(lower));
  }
  return lower;
}

/**
 * Without the white space around it, which in HTTP is space and tab alone (RFC 9110 section 5.6.3).
 *
 * By hand, because `trim()` takes NBSP too, and `/[\t ]+$/` is quadratic in white space inside.
 */
export function trimOws(text: string): string {
  return trimmed(text, 0, text.length);
}

/** The part of `text` from `start` to `end` without the white space around it. */
function trimmed(text: string, start: number, end: number): string {
  while (start < end && isOws(text.charCodeAt(start))) start++;
  while (end > start && isOws(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isOws(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function tooLarge(): HttpSyntaxError {
  return new HttpSyntaxError(`the head is larger than ${MAX_HEAD_BYTES} bytes`, "headTooLarge");
}

function firstLineTooLong(maxBytes: number): HttpSyntaxError {
  return new HttpSyntaxError(`the first line has more than ${maxBytes} bytes`, "firstLineTooLong");
}
