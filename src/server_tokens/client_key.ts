/**
 * The private key of an OAuth client, as an operator has it.
 *
 * @module
 */

import { createPrivateKey, type KeyObject } from "node:crypto";

/** A key that can sign. */
export interface ClientKey {
  /** The key. */
  readonly jwk: JsonWebKey;
  /** Algorithms that it can sign with, the one that is used unless another one is wanted first. */
  readonly algorithms: readonly string[];
  /** Its name, where the JWK has one. */
  readonly keyId: string | undefined;
}

/** A key as an operator has written it, with what says how it is used. */
interface WrittenJwk extends JsonWebKey {
  readonly kid?: string;
}

/** Bits of the smallest RSA key that jose signs with (RFC 7518 section 3.3). */
const MIN_RSA_BITS = 2_048;

const RSA_ALGORITHMS = ["RS256", "PS256", "RS384", "PS384", "RS512", "PS512"];

const EC_ALGORITHMS: Readonly<Record<string, string>> = {
  prime256v1: "ES256",
  secp384r1: "ES384",
  secp521r1: "ES512",
};

const WANTED = `RSA of ${MIN_RSA_BITS} bits or more, EC (P-256, P-384 or P-521) or Ed25519`;

/**
 * A key in PEM, or as a JWK.
 *
 * @throws {TypeError} that says what is wrong with it and shows nothing of it
 */
export function readClientKey(text: string): ClientKey {
  const written = text.trimStart().startsWith("{") ? readJwk(text) : undefined;
  const key = privateKey(written ?? text);
  const able = algorithmsOf(key);
  const only = written?.alg;
  if (only !== undefined && !able.includes(only)) {
    throw new TypeError("a key whose alg is of another kind of key");
  }
  const { kty, n, e, d, p, q, dp, dq, qi, crv, x, y } = key.export({ format: "jwk" });
  const members = { kty, n, e, d, p, q, dp, dq, qi, crv, x, y };
  const jwk: JsonWebKey = Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  );
  return { jwk, algorithms: only === undefined ? able : [only], keyId: written?.kid };
}

function readJwk(text: string): WrittenJwk {
  try {
    return JSON.parse(text);
  } catch {
    // What stands there would be shown by the error of the parser (R96).
    throw new TypeError("what begins as a JWK and is no JSON");
  }
}

function privateKey(key: string | WrittenJwk): KeyObject {
  try {
    return typeof key === "string"
      ? createPrivateKey(key)
      : createPrivateKey({ key: key as Record<string, unknown>, format: "jwk" });
  } catch {
    throw new TypeError("what is no private key without a passphrase, as PEM or JWK");
  }
}

function algorithmsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] {
  const { modulusLength = 0, namedCurve = "" } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === "rsa" && modulusLength >= MIN_RSA_BITS) return RSA_ALGORITHMS;
  if (asymmetricKeyType === "ed25519") return ["EdDSA", "Ed25519"];
  const algorithm = asymmetricKeyType === "ec" ? EC_ALGORITHMS[namedCurve] : undefined;
  if (algorithm === undefined) throw new TypeError(`a key that is not one of ${WANTED}`);
  return [algorithm];
}
