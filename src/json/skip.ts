/**
 * Values in the bytes of JSON: where each ends (RFC 8259), as far as it is ASCII.
 *
 * Each function gives the index behind what it reads, or `UNUSUAL`: then it is no JSON, or none that is read here.
 *
 * @module
 */

import { isThere } from "./ascii_text.ts";
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  CR,
  DELETE,
  DOT,
  LF,
  LOWER_E,
  LOWER_U,
  MINUS,
  NINE,
  OPEN_BRACE,
  OPEN_BRACKET,
  PLUS,
  QUOTE,
  SLASH,
  SPACE,
  TAB,
  ZERO,
} from "./characters.ts";

/** No value, or none that is read here. */
export const UNUSUAL = -1;

/** The index behind the value that begins at `at` and holds at most `depth` objects and arrays in each other. */
export function skipValue(bytes: Uint8Array, at: number, depth: number): number {
  const code = bytes[at];
  if (code === QUOTE) return skipString(bytes, at);
  if (code === OPEN_BRACE) return depth <= 0 ? UNUSUAL : skipObject(bytes, at, depth);
  if (code === OPEN_BRACKET) return depth <= 0 ? UNUSUAL : skipArray(bytes, at, depth);
  if (code === MINUS || isDigit(code)) return skipNumber(bytes, at);
  for (const literal of LITERALS) {
    if (isThere(bytes, at, at + literal.length, literal)) return at + literal.length;
  }
  return UNUSUAL;
}

const LITERALS = ["true", "false", "null"];

function skipObject(bytes: Uint8Array, open: number, depth: number): number {
  let at = skipSpace(bytes, open + 1);
  if (bytes[at] === CLOSE_BRACE) return at + 1;
  for (;;) {
    const keyEnd = skipString(bytes, at);
    if (keyEnd === UNUSUAL) return UNUSUAL;
    const start = skipColon(bytes, keyEnd);
    if (start === UNUSUAL) return UNUSUAL;
    const end = skipValue(bytes, start, depth - 1);
    if (end === UNUSUAL) return UNUSUAL;
    at = skipSpace(bytes, end);
    if (bytes[at] === CLOSE_BRACE) return at + 1;
    if (bytes[at] !== COMMA) return UNUSUAL;
    at = skipSpace(bytes, at + 1);
  }
}

function skipArray(bytes: Uint8Array, open: number, depth: number): number {
  let at = skipSpace(bytes, open + 1);
  if (bytes[at] === CLOSE_BRACKET) return at + 1;
  for (;;) {
    const end = skipValue(bytes, at, depth - 1);
    if (end === UNUSUAL) return UNUSUAL;
    at = skipSpace(bytes, end);
    if (bytes[at] === CLOSE_BRACKET) return at + 1;
    if (bytes[at] !== COMMA) return UNUSUAL;
    at = skipSpace(bytes, at + 1);
  }
}

/** The index behind the string that opens at `at` (RFC 8259 section 7). */
export function skipString(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== QUOTE) return UNUSUAL;
  for (at++; at < bytes.length; at++) {
    const code = bytes[at]!;
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at = skipEscape(bytes, at);
    // What is no ASCII has to be UTF-8, which is for others to say.
    else if (code < SPACE || code > DELETE) return UNUSUAL;
    if (at === UNUSUAL) return UNUSUAL;
  }
  return UNUSUAL;
}

/** The index of the last character of the escape whose backslash stands at `at`. */
function skipEscape(bytes: Uint8Array, at: number): number {
  const code = bytes[at + 1];
  if (code === LOWER_U) {
    for (let digit = at + 2; digit < at + 6; digit++) {
      if (!isHexDigit(bytes[digit])) return UNUSUAL;
    }
    return at + 5;
  }
  return isEscaped(code) ? at + 1 : UNUSUAL;
}

/** `"`, `\`, `/`, `b`, `f`, `n`, `r`, `t`. */
function isEscaped(code: number | undefined): boolean {
  return code === QUOTE || code === BACKSLASH || code === SLASH || code === 0x62 ||
    code === 0x66 || code === 0x6e || code === 0x72 || code === 0x74;
}

/** The index behind the number that begins at `at` (RFC 8259 section 6). */
function skipNumber(bytes: Uint8Array, at: number): number {
  if (bytes[at] === MINUS) at++;
  if (bytes[at] === ZERO) at++;
  else at = skipDigits(bytes, at);
  if (at !== UNUSUAL && bytes[at] === DOT) at = skipDigits(bytes, at + 1);
  if (at === UNUSUAL || ((bytes[at] ?? 0) | 0x20) !== LOWER_E) return at;
  const sign = bytes[at + 1];
  return skipDigits(bytes, sign === PLUS || sign === MINUS ? at + 2 : at + 1);
}

/** The index behind the digits at `at`, of which there has to be one. */
function skipDigits(bytes: Uint8Array, at: number): number {
  if (!isDigit(bytes[at])) return UNUSUAL;
  while (isDigit(bytes[at])) at++;
  return at;
}

/** The index of what stands behind a colon, with white space around it. */
export function skipColon(bytes: Uint8Array, at: number): number {
  const colon = skipSpace(bytes, at);
  return bytes[colon] === COLON ? skipSpace(bytes, colon + 1) : UNUSUAL;
}

/** The first index from `at` on that is not JSON white space. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  while (at < bytes.length) {
    const code = bytes[at];
    if (code !== SPACE && code !== LF && code !== CR && code !== TAB) return at;
    at++;
  }
  return at;
}

/** Whether it is a decimal digit. */
export function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= ZERO && code <= NINE;
}

function isHexDigit(code: number | undefined): boolean {
  if (code === undefined) return false;
  const lower = code | 0x20;
  return isDigit(code) || (lower >= 0x61 && lower <= 0x66);
}
