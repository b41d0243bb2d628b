/**
 * Heads as bytes.
 *
 * Each text is written where it belongs, without a text of all of them in between, and by hand: heads are short,
 * and what the runtime has for it is dear where it was not called a moment ago (bench/NOTES.md).
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import { cutBytes } from "./slab.ts";

/** A head in parts. */
export interface HeadParts {
  /** What stands ahead of the fields, sound as it is. */
  readonly before: readonly string[];
  /** Names and values in turn; left out where `before` has them. */
  readonly fields?: readonly string[] | undefined;
  /** What stands behind them, sound as it is. */
  readonly behind: readonly string[];
}

const NONE: readonly string[] = [];
const COLON = 0x3a;
const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;
const DELETE = 0x7f;

/**
 * A head as bytes, one for each character, and `body` behind it.
 *
 * @throws {TypeError} where a field holds a line break or another control character (R16), or more than a byte
 * can.
 */
export function encodeHead(parts: HeadParts, body?: Uint8Array): Bytes {
  const { before, fields = NONE, behind } = parts;
  let length = lengthOf(before) + lengthOf(behind) + (body?.length ?? 0);
  // Each has a colon, a space and a CRLF.
  length += lengthOf(fields) + fields.length * 2;
  const bytes = cutBytes(length);
  let at = put(bytes, 0, before);
  for (let index = 0; index < fields.length; index += 2) {
    at = putField(bytes, at, fields[index]!, fields[index + 1]!);
  }
  at = put(bytes, at, behind);
  if (body !== undefined) bytes.set(body, at);
  return bytes;
}

/**
 * Names and values in turn as lines of a head.
 *
 * @throws {TypeError} see `encodeHead`
 */
export function fieldLines(fields: readonly string[]): string {
  let text = "";
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value] = [fields[at]!, fields[at + 1]!];
    if (!isSound(name) || !isSound(value)) throw unsound(name);
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

function lengthOf(texts: readonly string[]): number {
  let length = 0;
  for (let index = 0; index < texts.length; index++) length += texts[index]!.length;
  return length;
}

/** Puts texts into `bytes` from the index `at` on; the index behind them. */
function put(bytes: Uint8Array, at: number, texts: readonly string[]): number {
  for (let index = 0; index < texts.length; index++) at = putText(bytes, at, texts[index]!);
  return at;
}

/** Puts a text of one byte a character into `bytes` from the index `at` on; the index behind it. */
export function putText(bytes: Uint8Array, at: number, text: string): number {
  for (let from = 0; from < text.length; from++) bytes[at++] = text.charCodeAt(from);
  return at;
}

function putField(bytes: Uint8Array, from: number, name: string, value: string): number {
  let at = putSound(bytes, from, name, name);
  bytes[at++] = COLON;
  bytes[at++] = SPACE;
  at = putSound(bytes, at, value, name);
  bytes[at++] = CR;
  bytes[at++] = LF;
  return at;
}

/** Puts a text that may be unsound, of the field `name`; the index behind it. */
function putSound(bytes: Uint8Array, at: number, text: string, name: string): number {
  for (let from = 0; from < text.length; from++) {
    const code = text.charCodeAt(from);
    if (!isSoundCode(code)) throw unsound(name);
    bytes[at++] = code;
  }
  return at;
}

function isSound(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (!isSoundCode(text.charCodeAt(at))) return false;
  return true;
}

function isSoundCode(code: number): boolean {
  return code >= SPACE ? code !== DELETE && code <= 0xff : code === TAB;
}

function unsound(name: string): TypeError {
  return new TypeError(`the field ${name} holds control characters`);
}
