/**
 * Positions in JSON text: what `JSON.parse` does not tell (duplicate keys, the exact spelling of a
 * number) and what must be known before it runs (the depth of nesting).
 *
 * `members` and `elements` expect text that `JSON.parse` has accepted. `nestingWithin` takes any text.
 * All are linear in the length of the text and use no recursion.
 *
 * @module
 */

import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SPACE,
} from "./characters.ts";

/** A stretch of text, from `start` up to but not including `end`. */
export interface Span {
  /** Index of the first character. */
  readonly start: number;
  /** Index behind the last character. */
  readonly end: number;
}

/** A member of a JSON object: its key, unescaped, and where its value stands. */
export interface Member extends Span {
  /** The key, unescaped. */
  readonly key: string;
}

/** The index behind the string that opens at `at`; the length of the text if it never closes. */
function skipString(text: string, at: number): number {
  let end = at;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
}

/** Whether no array or object in the text stands inside more than `maxDepth` others. */
export function nestingWithin(text: string, maxDepth: number): boolean {
  let depth = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = skipString(text, at);
      continue;
    }
    if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (++depth > maxDepth) return false;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      depth--;
    }
    at++;
  }
  return true;
}

/** The first index from `at` on that is not JSON white space. */
function skipSpace(text: string, at: number): number {
  while (text.charCodeAt(at) <= SPACE) at++;
  return at;
}

/** The index behind the value that starts at `at`. */
function skipValue(text: string, at: number): number {
  let depth = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = skipString(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth++;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (code === COMMA || code <= SPACE)) {
      return at;
    }
    at++;
  }
  return at;
}

/** The key of a member; `JSON.parse` only where it holds an escape. */
function keyOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes("\\") ? JSON.parse(text.slice(start, end)) as string : raw;
}

/** The members of the object that opens at or after `start`, in order, duplicates included. */
export function members(text: string, start = 0): Member[] {
  const found: Member[] = [];
  let at = skipSpace(text, skipSpace(text, start) + 1);
  while (at < text.length && text.charCodeAt(at) !== CLOSE_BRACE) {
    const keyEnd = skipString(text, at);
    const key = keyOf(text, at, keyEnd);
    const valueStart = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const valueEnd = skipValue(text, valueStart);
    found.push({ key, start: valueStart, end: valueEnd });
    at = skipSpace(text, valueEnd);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return found;
}

/** Where the elements of the array that opens at or after `start` stand, in order. */
export function elements(text: string, start = 0): Span[] {
  const found: Span[] = [];
  let at = skipSpace(text, skipSpace(text, start) + 1);
  while (at < text.length && text.charCodeAt(at) !== CLOSE_BRACKET) {
    const end = skipValue(text, at);
    found.push({ start: at, end });
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return found;
}
