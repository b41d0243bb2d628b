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
  /** The same head with another body, of so many bytes in decimal digits; undefined where that cannot be said. */
  withLength?(head: T, digits: string): T | undefined;
}

/** Largest head that is kept, in characters: there is one for each connection. */
export const MAX_KEPT_HEAD = 2_048;

/** Most fields of a head that is kept; most have ten to twenty. */
export const MAX_KEPT_FIELDS = 32;

const LENGTH = /\r\ncontent-length: *(?=\d+ *\r\n)/i;
const MAX_DIGITS = 15;

/** One head, in case that it comes again. */
export class KeptHead<T extends { readonly fields: ReadFields }> {
  readonly #rules: RepeatRules<T>;
  #head: T | undefined;
  /** The whole head with its empty line. */
  #text = "";
  /** What stands around the digits of the length, where there is one that may differ. */
  #around: readonly [before: string, behind: string] | undefined;

  /** None yet. */
  constructor(rules: RepeatRules<T>) {
    this.#rules = rules;
  }

  /** The head with which `bytes` begin; undefined where that is another one, or not all of it. */
  read(bytes: Uint8Array): HeadResult<T> | undefined {
    const head = this.#head;
    if (head === undefined) return undefined;
    const text = latin1(bytes.subarray(0, this.#text.length + MAX_DIGITS));
    if (text.startsWith(this.#text)) return { head, consumed: this.#text.length };
    if (this.#around === undefined || !text.startsWith(this.#around[0])) return undefined;
    const [{ length: start }, behind] = this.#around;
    let end = start;
    while (isDigit(text.charCodeAt(end))) end++;
    if (!text.startsWith(behind, end)) return undefined;
    const other = this.#rules.withLength?.(head, text.slice(start, end));
    return other && { head: other, consumed: end + behind.length };
  }

  /** Keeps none until the next one. */
  forget(): void {
    this.#head?.fields.forget();
    this.#head = undefined;
    this.#text = "";
    this.#around = undefined;
  }

  /** `bytes`, which end with the empty line, were found to be this head. */
  keep(bytes: Uint8Array, head: T): void {
    const isKept = bytes.length <= MAX_KEPT_HEAD &&
      head.fields.list.length <= 2 * MAX_KEPT_FIELDS;
    this.#head = isKept ? head : undefined;
    this.#text = isKept ? latin1(bytes) : "";
    this.#around = this.#rules.withLength === undefined ? undefined : around(this.#text);
    if (isKept) head.fields.keep();
  }
}

function around(text: string): readonly [string, string] | undefined {
  const found = LENGTH.exec(text);
  if (found === null) return undefined;
  const at = found.index + found[0].length;
  const digits = /^\d+/.exec(text.slice(at))![0].length;
  return [text.slice(0, at), text.slice(at + digits)];
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
