/**
 * Fresh API keys, and the hash by which the config knows them.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** Random bytes in a key: more than anybody can guess, so one round of SHA-256 hides it well enough. */
const KEY_BYTES = 32;

/** What a key begins with, so that people and scanners of secrets know it when they see it. */
const KEY_PREFIX = "sy_";

/** A key: `sy_` and 43 characters of base64url, from 32 bytes of `randomBytes`. */
export function newKey(randomBytes: (length: number) => Uint8Array): string {
  const text = randomBytes(KEY_BYTES).toBase64({ alphabet: "base64url", omitPadding: true });
  return KEY_PREFIX + text;
}

/** The SHA-256 of a key, in lower-case hex. */
export function hashOfKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
