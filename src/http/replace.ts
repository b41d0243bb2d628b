/**
 * Putting one text in place of another in bytes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Bytes } from "./exchange.ts";

/** The same bytes, with `to` wherever `from` stood; the very same where it stood nowhere. Both are ASCII. */
export function replaceText<B extends Uint8Array>(bytes: B, from: string, to: string): B | Bytes {
  if (bytes.length < from.length) return bytes;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (text.indexOf(from, 0, "latin1") === -1) return bytes;
  // A character a byte: what is no ASCII comes out as it went in.
  const replaced = Buffer.from(text.toString("latin1").replaceAll(from, () => to), "latin1");
  return new Uint8Array(replaced);
}
