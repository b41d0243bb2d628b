/**
 * The last head of a connection: clients and servers say the same again and again, but for the length of the
 * body. Pure.
 *
 * @module
 */

import type { ReadFields } from "../http/mod.ts";
import { latin1 } from "./latin1.ts";

/** A head, and how many of the bytes fed last belong to it. */
export interface HeadResult<T> {
  /** The head. */
  readonly head: T;
  /** Bytes of the last piece that belong to the head; what follows is the body's. */
  readonly consumed: number;
}

/** How heads of one kind come again. */
export interface RepeatRules<T extends { readonly fields: ReadFields }> {
  /** The same head with another body, of so many bytes; undefined where that cannot be said. */
  withLength?(head: T, bytes: number): T | undefined;
}

/** Largest head that is kept, in characters: there is one for each connection. */
export const MAX_KEPT_HEAD = 2_048;

/** Most fields of a head that is kept; most have ten to twenty. */
export const MAX_KEPT_FIELDS = 32;

const LENGTH = /\r\ncontent-length: *(?=\d+ *\r\n)/i;
const MAX_DIGITS = 15;
const ZERO = 0x30;
const NINE = 0x39;

/** Where the digits of a length stand in a head. */
interface Digits {
  readonly start: number;
  readonly end: number;
}

/** One head, in case that it comes again. */
export class KeptHead<T extends { readonly fields: ReadFields }> {
  readonly #rules: RepeatRules<T>;
  #head: T | undefined;
  /** The whole head with its empty line. */
  #text = "";
  /** The digits of the length, where there is one that may differ. */
  #digits: Digits | undefined;
  /** The length that the head says, in bytes. */
  #length = 0;

  /** None yet. */
  constructor(rules: RepeatRules<T>) {
    this.#rules = rules;
  }

  /** The head with which `bytes` begin; undefined where that is another one, or not all of it. */
  read(bytes: Uint8Array): HeadResult<T> | undefined {
    const head = this.#head;
    if (head === undefined) return undefined;
    const text = this.#text;
    const digits = this.#digits;
    if (digits === undefined) {
      return isAt(bytes, 0, text, 0, text.length) ? { head, consumed: text.length } : undefined;
    }
    const { start, end } = digits;
    if (!isAt(bytes, 0, text, 0, start)) return undefined;
    let length = 0;
    let at = start;
    for (; isDigit(bytes[at]) && at - start < MAX_DIGITS; at++) {
      length = length * 10 + bytes[at]! - ZERO;
    }
    if (at === start || !isAt(bytes, at, text, end, text.length)) return undefined;
    // What is written oddly is read anew, as it was written.
    if (at > start + 1 && bytes[start] === ZERO) return undefined;
    const consumed = at + text.length - end;
    if (length === this.#length) return { head, consumed };
    const other = this.#rules.withLength?.(head, length);
    if (other === undefined) return undefined;
    // Most messages are as long as the one before.
    this.#head = other;
    this.#length = length;
    return { head: other, consumed };
  }

  /** Keeps none until the next one. */
  forget(): void {
    this.#head?.fields.forget();
    this.#head = undefined;
    this.#text = "";
    this.#digits = undefined;
  }

  /** `bytes`, which end with the empty line, were found to be this head. */
  keep(bytes: Uint8Array, head: T): void {
    const isKept = bytes.length <= MAX_KEPT_HEAD &&
      head.fields.list.length <= 2 * MAX_KEPT_FIELDS;
    this.#head = isKept ? head : undefined;
    this.#text = isKept ? latin1(bytes) : "";
    const digits = this.#rules.withLength === undefined ? undefined : digitsIn(this.#text);
    this.#digits = digits;
    this.#length = digits === undefined ? 0 : Number(this.#text.slice(digits.start, digits.end));
    if (isKept) head.fields.keep();
  }
}

/** Whether the characters of `text` from `from` to `to` stand in `bytes` at `at`. */
function isAt(bytes: Uint8Array, at: number, text: string, from: number, to: number): boolean {
  if (at + to - from > bytes.length) return false;
  for (let index = from; index < to; index++, at++) {
    if (bytes[at] !== text.charCodeAt(index)) return false;
  }
  return true;
}

function digitsIn(text: string): Digits | undefined {
  const found = LENGTH.exec(text);
  if (found === null) return undefined;
  const start = found.index + found[0].length;
  let end = start;
  while (isDigit(text.charCodeAt(end))) end++;
  // Written oddly, it comes again as it is or not at all.
  return text.charCodeAt(start) === ZERO && end > start + 1 ? undefined : { start, end };
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= ZERO && code <= NINE;
}
