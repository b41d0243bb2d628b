/**
 * How an OAuth client shows the token endpoint who it is.
 *
 * Sources: RFC 6749 section 2.3.1 (a secret), RFC 7523 sections 2.2 and 3 (a signed statement), with its audience as
 * its successor has it: the issuer alone, so that no other authorization server can use it.
 *
 * @module
 */

import { importJWK, type JWK, SignJWT } from "jose";
import type { Clock } from "../clock.ts";
import type { ClientKey } from "./client_key.ts";
import { TokenTrouble } from "./trouble.ts";

/** What a client was registered with. */
export type ClientCredentials =
  & {
    /** Its id. */
    readonly clientId: string;
  }
  & (
    | {
      readonly authentication: "client_secret_basic" | "client_secret_post";
      readonly clientSecret: string;
    }
    | {
      readonly authentication: "private_key_jwt";
      readonly key: ClientKey;
      /** The name of the key; undefined for what the key itself says. */
      readonly keyId?: string | undefined;
    }
  );

/** How long a statement is good, in seconds: it is made for one request. */
export const STATEMENT_SECONDS = 60;

/** What goes with a request for a token. */
export interface ClientProof {
  /** Names and values of header fields, in turn. */
  readonly fields: readonly string[];
  /** Members of the form. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The authorization server, as far as a proof is concerned. */
export interface Verifier {
  /** Its issuer. */
  readonly issuer: string;
  /** Algorithms that it says it takes; undefined where it does not say. */
  readonly algorithms: readonly string[] | undefined;
}

/**
 * The proof for one request.
 *
 * @throws {TokenTrouble} where the key can sign with no algorithm that the server takes
 */
export async function proofOf(
  client: ClientCredentials,
  verifier: Verifier,
  clock: Clock,
): Promise<ClientProof> {
  const { clientId } = client;
  switch (client.authentication) {
    case "client_secret_basic": {
      const pair = `${formEncoded(clientId)}:${formEncoded(client.clientSecret)}`;
      return { fields: ["authorization", `Basic ${btoa(pair)}`], parameters: {} };
    }
    case "client_secret_post": {
      const parameters = { client_id: clientId, client_secret: client.clientSecret };
      return { fields: [], parameters };
    }
    case "private_key_jwt": {
      const statement = await signed(clientId, client.key, client.keyId, verifier, clock);
      return {
        fields: [],
        parameters: {
          client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
          client_assertion: statement,
        },
      };
    }
  }
}

/** RFC 6749 section 2.3.1: both halves are encoded as in a form, so that a colon in one is none between them. */
function formEncoded(text: string): string {
  return new URLSearchParams({ "": text }).toString().slice(1);
}

async function signed(
  clientId: string,
  { jwk, algorithms, keyId: own }: ClientKey,
  keyId: string | undefined = own,
  { issuer, algorithms: taken }: Verifier,
  clock: Clock,
): Promise<string> {
  const alg = algorithms.find((one) => taken === undefined || taken.includes(one));
  if (alg === undefined) {
    throw new TokenTrouble("refused", "it takes no algorithm that the client's key can sign with");
  }
  const nowSeconds = Math.floor(clock.now().getTime() / 1_000);
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: issuer,
    jti: clock.randomBytes(16).toHex(),
    iat: nowSeconds,
    exp: nowSeconds + STATEMENT_SECONDS,
  };
  return await new SignJWT(claims)
    .setProtectedHeader({ alg, typ: "JWT", ...(keyId !== undefined && { kid: keyId }) })
    .sign(await importJWK(jwk as JWK, alg));
}
