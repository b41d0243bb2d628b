/**
 * Heads as bytes.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";

const encoder = new TextEncoder();
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;

/**
 * A field as a line of a head.
 *
 * @throws {TypeError} where it holds a line break or another control character (R16), or more than a
 * byte can.
 */
export function fieldLine(name: string, value: string): string {
  const line = `${name}: ${value}`;
  if (UNSAFE.test(line)) throw new TypeError(`the field ${name} holds control characters`);
  return line + "\r\n";
}

/**
 * Names and values in turn as lines of a head.
 *
 * @throws {TypeError} see `fieldLine`
 */
export function fieldLines(fields: readonly string[]): string {
  let text = "";
  for (let at = 0; at < fields.length; at += 2) text += fieldLine(fields[at]!, fields[at + 1]!);
  return text;
}

/** The text of a head as bytes, one for each character, and `more` behind it. */
export function encodeHead(text: string, more?: Uint8Array): Bytes {
  const bytes = new Uint8Array(text.length + (more?.length ?? 0));
  // Of other than ASCII the runtime's encoder makes two bytes or more, and perhaps stops short.
  const { read, written } = encoder.encodeInto(text, bytes);
  if (read !== text.length || written !== text.length) {
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  }
  if (more !== undefined) bytes.set(more, text.length);
  return bytes;
}
