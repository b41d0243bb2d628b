/**
 * The last head of a connection: clients and servers say the same again and again, but for the length of the
 * body. Pure.
 *
 * @module
 */

import type { ReadFields } from "../http/mod.ts";

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
const DIGITS = /^\d{1,15}$/;

/** One head, in case that it comes again. */
export class KeptHead<T extends { readonly fields: ReadFields }> {
  readonly #rules: RepeatRules<T>;
  #head: T | undefined;
  #text = "";
  /** What stands around the digits of the length, where there is one that may differ. */
  #around: readonly [before: string, behind: string] | undefined;

  /** None yet. */
  constructor(rules: RepeatRules<T>) {
    this.#rules = rules;
  }

  /** The head that `text` is, each of its lines with its CRLF; undefined where it is another one. */
  find(text: string): T | undefined {
    if (this.#head === undefined) return undefined;
    if (text === this.#text) return this.#head;
    if (this.#around === undefined) return undefined;
    const [before, behind] = this.#around;
    if (!text.startsWith(before) || !text.endsWith(behind)) return undefined;
    const digits = text.slice(before.length, text.length - behind.length);
    return DIGITS.test(digits) ? this.#rules.withLength?.(this.#head, digits) : undefined;
  }

  /** `text` was found to be this head. */
  keep(text: string, head: T): void {
    const isKept = text.length <= MAX_KEPT_HEAD && head.fields.list.length <= 2 * MAX_KEPT_FIELDS;
    if (isKept) head.fields.keep();
    this.#head = isKept ? head : undefined;
    this.#text = isKept ? text : "";
    this.#around = isKept && this.#rules.withLength !== undefined ? around(text) : undefined;
  }
}

function around(text: string): readonly [string, string] | undefined {
  const found = LENGTH.exec(text);
  if (found === null) return undefined;
  const at = found.index + found[0].length;
  const digits = /^\d+/.exec(text.slice(at))![0].length;
  return [text.slice(0, at), text.slice(at + digits)];
}
