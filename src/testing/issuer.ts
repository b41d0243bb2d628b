/**
 * An authorization server as far as a resource server sees one: keys, tokens signed with them, and the two documents.
 *
 * @module
 */

import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from "jose";
import type { Clock } from "../clock.ts";
import { systemClock } from "../clock.ts";

/** A key of an issuer. */
interface IssuerKey {
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

/** What a token's header says beside `alg`. */
export interface TokenHeader {
  readonly kid?: string | undefined;
  readonly typ?: string | undefined;
  /** Whether the key is not named. */
  readonly isNameless?: boolean;
}

/** Keys by their names, and tokens. */
export class TestKeys {
  readonly #keys = new Map<string, IssuerKey>();
  readonly #issuer: string;
  readonly #clock: Clock;

  constructor(issuer: string, clock: Clock = systemClock) {
    this.#issuer = issuer;
    this.#clock = clock;
  }

  /** Makes a key, and publishes it. */
  async add(kid: string, alg = "ES256"): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...await exportJWK(publicKey), kid, alg, use: "sig" };
    this.#keys.set(kid, { alg, privateKey, jwk });
  }

  /** Publishes a key no longer. */
  remove(kid: string): void {
    this.#keys.delete(kid);
  }

  /** The public half of a key. */
  jwk(kid: string): JWK {
    return this.#keys.get(kid)!.jwk;
  }

  /** The JWK Set. */
  document(): { readonly keys: readonly JWK[] } {
    return { keys: [...this.#keys.values()].map(({ jwk }) => jwk) };
  }

  /** A token of the first key, or of that which the header names; valid for a minute unless `claims` differ. */
  async token(
    claims: JWTPayload = {},
    { isNameless, ...header }: TokenHeader = {},
  ): Promise<string> {
    const [first] = this.#keys.keys();
    const kid = header.kid ?? first!;
    const { alg, privateKey } = this.#keys.get(kid)!;
    const nowSeconds = Math.floor(this.#clock.now().getTime() / 1000);
    const all = {
      iss: this.#issuer,
      sub: "alice",
      exp: nowSeconds + 60,
      iat: nowSeconds,
      ...claims,
    };
    return await new SignJWT(all)
      .setProtectedHeader(
        { alg, typ: "at+jwt", ...header, kid: isNameless ? undefined : kid } as JWTHeaderParameters,
      )
      .sign(privateKey);
  }
}

/** A server with the documents of an issuer. */
export interface TestIssuer extends AsyncDisposable {
  /** Its name, which is its URL. */
  readonly issuer: string;
  /** Its keys. */
  readonly keys: TestKeys;
  /** Paths it was asked for. */
  readonly asked: readonly string[];
  /** Answers in place of the documents. */
  answer: ((path: string) => Response | Promise<Response> | undefined) | undefined;
}

/** Starts one on a free loopback port, with a key named `first`. */
export async function testIssuer(clock?: Clock): Promise<TestIssuer> {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    const special = issuer.answer?.(pathname);
    if (special !== undefined) return special;
    if (pathname === "/.well-known/oauth-authorization-server") {
      return Response.json({ issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/keys` });
    }
    if (pathname === "/keys") return Response.json(issuer.keys.document());
    return new Response("no", { status: 404 });
  });
  const name = `http://127.0.0.1:${server.addr.port}`;
  const issuer: TestIssuer = {
    issuer: name,
    keys: new TestKeys(name, clock),
    asked,
    answer: undefined,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
  await issuer.keys.add("first");
  return issuer;
}
