/**
 * The keys that tokens are sealed with, derived from secrets once (R76).
 *
 * @module
 */

import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import type { Clock } from "../clock.ts";

/** Shortest secret, in characters: room for 128 random bits in hex. */
export const MIN_SECRET_CHARACTERS = 32;

/** Longest secret, in characters. */
export const MAX_SECRET_CHARACTERS = 1_024;

/** Random bytes of a secret that the proxy makes: as many as the key has. */
const SECRET_BYTES = 32;

/** Fewer different characters are no random text: hex of 128 random bits has fewer once in 27 million. */
const MIN_DIFFERENT_CHARACTERS = 8;

/** AES-256. */
const KEY_BYTES = 32;

/** Sets these keys apart from all others that are derived from the same secret (RFC 5869, 3.1 and 3.2). */
const SALT = "switchyard seal";
const KEY_INFO = "key 1";
const ID_INFO = "key id 1";

/**
 * What stands in secrets that nobody has made at random. Six letters and more each, so that a random secret
 * has one by chance once in a million times at most, and then is long enough without it.
 */
const WELL_KNOWN =
  /change[-_ ]?(?:me|it|this)|default|example|passw(?:or)?d|placeholder|secret|switchyard|abcdefgh|01234567|12345678|qwertyui/gi;

/** A key and what it is called in a token. */
export interface SealKey {
  /** Which key it is: 32 bits that are derived from the secret and tell nothing about the key. */
  readonly id: number;
  /** AES-256. It does not show its bytes when it is printed. */
  readonly key: KeyObject;
}

/** A secret, or the file of one, that nothing may be sealed with. The message never repeats the secret. */
export class SealKeyError extends Error {
  /** A refusal, told in a sentence that says what to do. */
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "SealKeyError";
  }
}

/**
 * The key that a secret stands for: HKDF with SHA-256 (RFC 5869), the same at each instance and after each
 * start.
 *
 * The secret has to be random. HKDF is no password hash: whoever holds one token can try millions of
 * guessed secrets a second. What is refused here is what was plainly not made at random; what passes need
 * not have been.
 *
 * @param secret 32 to 1024 characters
 * @throws {SealKeyError} for a secret that is too short, too long, or plainly not random (R76)
 */
export function deriveKey(secret: string): SealKey {
  const fault = faultOf(secret);
  if (fault !== undefined) {
    throw new SealKeyError(
      `A secret that seals session ids ${fault}. It has to be random, of ${MIN_SECRET_CHARACTERS} to ` +
        `${MAX_SECRET_CHARACTERS} characters; make one with: openssl rand -base64 32`,
    );
  }
  const key = new Uint8Array(hkdfSync("sha256", secret, SALT, KEY_INFO, KEY_BYTES));
  const id = new DataView(hkdfSync("sha256", secret, SALT, ID_INFO, 4)).getUint32(0);
  return { id, key: createSecretKey(key) };
}

/** A new random secret: 43 characters of base64url, 256 bits. */
export function makeSecret(clock: Clock): string {
  return clock.randomBytes(SECRET_BYTES).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** What is wrong with a secret, to follow "the secret"; undefined for nothing. */
function faultOf(secret: string): string | undefined {
  if (secret.length < MIN_SECRET_CHARACTERS) return `has only ${secret.length} characters`;
  if (secret.length > MAX_SECRET_CHARACTERS) return `has ${secret.length} characters`;
  if (isRepetition(secret)) return "is a shorter text repeated";
  // A well-known word may stand beside a random text, but is no part of it.
  const random = secret.replace(WELL_KNOWN, "");
  if (random.length < MIN_SECRET_CHARACTERS) return "is made of well-known words";
  const different = new Set(random).size;
  return different < MIN_DIFFERENT_CHARACTERS
    ? `has only ${different} different characters`
    : undefined;
}

/** Whether a text goes on as it began after half of it or less. */
function isRepetition(text: string): boolean {
  for (let period = 1; period <= text.length / 2; period++) {
    if (text.startsWith(text.slice(period))) return true;
  }
  return false;
}
