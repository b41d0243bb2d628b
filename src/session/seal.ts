/**
 * Sealed tokens: text that its holder can neither read nor change, and that says nothing when it is shown by
 * another than the one to whom it was given (R72, R74, R75).
 *
 * A token is base64url of: version (1 byte), key id (4), nonce (12), ciphertext, tag (16). It is sealed with
 * AES-256-GCM; all that stands ahead of the ciphertext, the purpose and the binding are authenticated with
 * it. The cipher is that of `node:crypto` and not of WebCrypto, which takes eight times as long and cannot
 * answer at once; the bytes are the same.
 *
 * Nonces are 96 random bits. NIST SP 800-38D, section 8.3, allows a key 2^32 of them, over all instances and
 * their restarts: 13 years at 10 tokens a second, 49 days at 1,000. A secret is to be replaced before that.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Clock } from "../clock.ts";
import { type SealKey, SealKeyError } from "./seal_key.ts";

/** Longest token, in characters. */
export const MAX_TOKEN_CHARACTERS = 8_192;

/** Most keys of a sealer. */
export const MAX_SEAL_KEYS = 16;

/** Longest purpose and longest binding, in UTF-16 units. */
export const MAX_BINDING_CHARACTERS = 4_096;

const CIPHER = "aes-256-gcm";
const VERSION = 1;
const KEY_ID_AT = 1;
const NONCE_AT = 5;
const NONCE_BYTES = 12;
const HEAD_BYTES = NONCE_AT + NONCE_BYTES;
const TAG_BYTES = 16;
const OPTIONS = { authTagLength: TAG_BYTES };

/** Largest payload, in bytes: what fits in the longest token. */
export const MAX_PAYLOAD_BYTES = Math.floor(MAX_TOKEN_CHARACTERS * 3 / 4) - HEAD_BYTES - TAG_BYTES;

/** Seals with the first of its keys and opens with all of them. */
export class Sealer {
  readonly #sealing: SealKey;
  readonly #keys = new Map<number, SealKey>();
  readonly #clock: Clock;

  /**
   * A sealer for some keys. To replace one, put the new key in front and leave the old one until its tokens
   * are over; instances that share tokens are first all given the new key behind the old one.
   *
   * @param keys 1 to 16, each with an id of its own
   * @throws {SealKeyError} for no key (there is no default one, R76), too many, or one that is there twice
   */
  constructor(keys: readonly SealKey[], clock: Clock) {
    const [sealing] = keys;
    if (sealing === undefined) {
      throw new SealKeyError("Session ids cannot be sealed without a key.");
    }
    if (keys.length > MAX_SEAL_KEYS) {
      throw new SealKeyError(
        `Session ids have at most ${MAX_SEAL_KEYS} keys; ${keys.length} given.`,
      );
    }
    for (const key of keys) this.#keys.set(key.id, key);
    if (this.#keys.size < keys.length) {
      throw new SealKeyError(
        "Two keys of session ids are the same, or have the same id; leave one out.",
      );
    }
    this.#sealing = sealing;
    this.#clock = clock;
  }

  /**
   * Seals a payload; each time into another token.
   *
   * @param purpose what the token is for: it opens for nothing else
   * @param binding to whom it belongs: it opens for nobody else
   * @param payload at most `MAX_PAYLOAD_BYTES`
   * @returns visible ASCII, `MAX_TOKEN_CHARACTERS` at most
   * @throws {RangeError} for a payload, purpose or binding that is too long, or text with a lone surrogate
   */
  seal(purpose: string, binding: string, payload: Uint8Array): string {
    if (payload.length > MAX_PAYLOAD_BYTES) {
      throw new RangeError("The payload is too long to seal.");
    }
    if (!isBindable(purpose) || !isBindable(binding)) {
      throw new RangeError("The purpose or binding is too long, or no Unicode text.");
    }
    const token = Buffer.allocUnsafe(HEAD_BYTES + payload.length + TAG_BYTES);
    token[0] = VERSION;
    token.writeUInt32BE(this.#sealing.id, KEY_ID_AT);
    const nonce = this.#clock.randomBytes(NONCE_BYTES);
    token.set(nonce, NONCE_AT);
    const cipher = createCipheriv(CIPHER, this.#sealing.key, nonce, OPTIONS);
    cipher.setAAD(associatedData(token.subarray(0, HEAD_BYTES), purpose, binding));
    token.set(cipher.update(payload), HEAD_BYTES);
    cipher.final();
    token.set(cipher.getAuthTag(), HEAD_BYTES + payload.length);
    return token.toString("base64url");
  }

  /**
   * The payload of a token that one of the keys has sealed for this purpose and this binding; undefined for
   * every other text. Never throws.
   *
   * One decryption at most, of a bounded length. What the time of a refusal tells is in the token for
   * everybody to read: its length, its version, and whether its key id is one of those in use.
   */
  open(purpose: string, binding: string, text: string): Uint8Array | undefined {
    if (text.length > MAX_TOKEN_CHARACTERS) return undefined;
    if (!isBindable(purpose) || !isBindable(binding)) return undefined;
    const token = Buffer.from(text, "base64url");
    if (token.length < HEAD_BYTES + TAG_BYTES || token[0] !== VERSION) return undefined;
    // Reading is lenient (padding, "+", stray characters, unused bits), so that a token would have many
    // spellings; one that is kept or compared as text must have one.
    if (token.toString("base64url") !== text) return undefined;
    const key = this.#keys.get(token.readUInt32BE(KEY_ID_AT));
    if (key === undefined) return undefined;
    try {
      const nonce = token.subarray(NONCE_AT, HEAD_BYTES);
      const decipher = createDecipheriv(CIPHER, key.key, nonce, OPTIONS);
      decipher.setAAD(associatedData(token.subarray(0, HEAD_BYTES), purpose, binding));
      decipher.setAuthTag(token.subarray(-TAG_BYTES));
      const payload = decipher.update(token.subarray(HEAD_BYTES, -TAG_BYTES));
      // Nothing of the payload is looked at before this: it throws where the tag is wrong.
      decipher.final();
      return new Uint8Array(payload.buffer, payload.byteOffset, payload.length);
    } catch {
      return undefined;
    }
  }
}

/** Whether a text has an encoding of its own: UTF-8 writes all lone surrogates alike. */
function isBindable(text: string): boolean {
  return text.length <= MAX_BINDING_CHARACTERS && text.isWellFormed();
}

/** The head of a token, of a fixed length, the purpose and the binding, each behind its length in 4 bytes. */
function associatedData(head: Uint8Array, purpose: string, binding: string): Uint8Array {
  const purposeBytes = Buffer.byteLength(purpose);
  const bindingBytes = Buffer.byteLength(binding);
  const data = Buffer.allocUnsafe(HEAD_BYTES + 4 + purposeBytes + 4 + bindingBytes);
  data.set(head, 0);
  let at = data.writeUInt32BE(purposeBytes, HEAD_BYTES);
  at += data.write(purpose, at);
  at = data.writeUInt32BE(bindingBytes, at);
  data.write(binding, at);
  return data;
}
