/**
 * Callers told apart by API keys, of which the config holds the hashes alone.
 *
 * Sources: RFC 6750 section 3 (the challenge), RFC 9110 sections 11.1 (the scheme in any case of
 * letters) and 11.6.1 (every 401 has a challenge); issue 6; R91, R94, R96.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { ProxyError } from "../errors.ts";
import type { FieldReader } from "../http/mod.ts";
import type { Authenticator, Principal } from "./authenticate.ts";

/** Which keys there are, and where callers put theirs. */
export interface ApiKeysOptions {
  /** The field that holds the key alone; `Authorization: Bearer` where it is left out. */
  readonly header?: string | undefined;
  /** The keys by their holders' names and their SHA-256 in hex; those with one name are one principal. */
  readonly keys: readonly { readonly name: string; readonly sha256: string }[];
}

/** Characters of a field with a key; a longer one is wrong without being hashed. */
export const MAX_CREDENTIAL_CHARACTERS = 4_096;

/**
 * What a key may be made of: visible ASCII. Fields of one name are joined by a comma and a space, so
 * that two keys are never one that holds both.
 */
const KEY = /^[\x21-\x7e]+$/;

/** Bytes of a SHA-256. */
const DIGEST_BYTES = 32;

/** Where a key stands in a request, and how a client is told. */
interface Place {
  /** The field, in lower case. */
  readonly field: string;
  /** How to send a key, as the end of a sentence. */
  readonly advice: string;
  /** What a 401 asks for. */
  readonly challenge: string;
  /** What it asks for where a key was sent and is wrong. */
  readonly challengeAgain: string;
  /** The key in the value of the field; undefined or empty where there is none. */
  read(value: string): string | undefined;
}

/** What stands behind the scheme `Bearer`; undefined where there is another, empty where there is nothing. */
export function bearerOf(value: string): string | undefined {
  return /^bearer /i.test(value) ? value.slice("bearer ".length).trimStart() : undefined;
}

const BEARER_PLACE: Place = {
  field: "authorization",
  advice: "as Authorization: Bearer KEY",
  challenge: 'Bearer realm="switchyard"',
  challengeAgain: 'Bearer realm="switchyard", error="invalid_token"',
  // To try another scheme is to send no key (RFC 6750 section 3.1).
  read: bearerOf,
};

/** A field of its own. Bearer would not be understood, so another scheme stands in the challenge. */
function placeInField(header: string): Place {
  const challenge = 'ApiKey realm="switchyard"';
  return {
    field: header.toLowerCase(),
    advice: `in the field ${header}`,
    challenge,
    challengeAgain: challenge,
    read: (value) => value,
  };
}

/**
 * Recognises callers by their keys, and refuses everybody else.
 *
 * @throws {TypeError} where there is no key, or a hash is no SHA-256 in hex
 */
export function apiKeys({ header, keys }: ApiKeysOptions): Authenticator {
  const place = header === undefined ? BEARER_PLACE : placeInField(header);
  const holders = holdersOf(keys);
  const names = new Map(holders.principals.map(({ id, name }) => [id, name]));
  return {
    authenticate(headers: FieldReader): Principal {
      const value = headers.get(place.field);
      const key = value === null ? undefined : place.read(value);
      if (key === undefined || key === "") {
        throw refused(`This proxy wants an API key; send one ${place.advice}.`, place.challenge);
      }
      const isSound = value!.length <= MAX_CREDENTIAL_CHARACTERS && KEY.test(key);
      const principal = isSound ? find(holders, key) : undefined;
      if (principal !== undefined) return principal;
      throw refused(
        `The API key is not one of this proxy's; send a valid one ${place.advice}.`,
        place.challengeAgain,
      );
    },
    nameOf: (id) => names.get(id),
    credentialFields: [place.field],
  };
}

/** The holders of all keys, and their digests one behind the other. */
interface Holders {
  readonly principals: readonly Principal[];
  /** Of each key 32 bytes, and the same as 8 words. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Int32Array;
}

function holdersOf(keys: ApiKeysOptions["keys"]): Holders {
  if (keys.length === 0) throw new TypeError("Without a key nobody could call.");
  const bytes = new Uint8Array(keys.length * DIGEST_BYTES);
  const principals = keys.map(({ name, sha256 }, index) => {
    const digest = Buffer.from(sha256, "hex");
    if (digest.length !== DIGEST_BYTES) {
      throw new TypeError(`The hash of the key ${name} is no SHA-256 in hex.`);
    }
    bytes.set(digest, index * DIGEST_BYTES);
    return { id: `key:${name}`, name };
  });
  return { principals, bytes, words: new Int32Array(bytes.buffer) };
}

/**
 * Who holds `key`. Every digest is compared with whole, also behind the one that fits, by arithmetic
 * without a branch; `timingSafeEqual` has the last word on the one found. It alone, for every digest,
 * took 550 us of 1,000 keys, because each call costs half a microsecond.
 */
function find({ principals, bytes, words }: Holders, key: string): Principal | undefined {
  // A copy: the digest may lie at any place of a larger buffer, and words want their own.
  const digest = new Uint8Array(createHash("sha256").update(key).digest());
  const wanted = new Int32Array(digest.buffer);
  let found = 0;
  for (let index = 0; index < principals.length; index++) {
    let difference = 0;
    for (let word = 0; word < wanted.length; word++) {
      difference |= words[index * wanted.length + word]! ^ wanted[word]!;
    }
    // All ones where they are the same, else all zeros.
    const isSame = ~((difference | -difference) >> 31);
    found = found & ~isSame | index & isSame;
  }
  const at = found * DIGEST_BYTES;
  const isIt = timingSafeEqual(digest, bytes.subarray(at, at + DIGEST_BYTES));
  return isIt ? principals[found] : undefined;
}

function refused(message: string, challenge: string): ProxyError {
  return new ProxyError("unauthorized", message, { headers: { "www-authenticate": challenge } });
}
