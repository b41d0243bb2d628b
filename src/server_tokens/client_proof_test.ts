/**
 * RFC 6749 section 2.3.1, RFC 7523 section 3: how the proxy shows who it is.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { exportJWK, exportPKCS8, generateKeyPair, jwtVerify } from "jose";
import { ManualClock } from "../testing/manual_clock.ts";
import { readClientKey } from "./client_key.ts";
import { type ClientCredentials, proofOf, STATEMENT_SECONDS } from "./client_proof.ts";
import { TokenTrouble } from "./trouble.ts";

const ISSUER = "https://auth.example.com";
const VERIFIER = { issuer: ISSUER, algorithms: undefined };

Deno.test("proofOf() encodes id and secret each as in a form, so that a colon in one is none between them", async () => {
  const client = {
    clientId: "a:b c",
    clientSecret: "s%c+r/e t",
    authentication: "client_secret_basic",
  } as const;
  const { fields, parameters } = await proofOf(client, VERIFIER, new ManualClock());
  assertEquals([fields[0], parameters], ["authorization", {}]);
  assertEquals(atob(fields[1]!.replace("Basic ", "")), "a%3Ab+c:s%25c%2Br%2Fe+t");
});

Deno.test("proofOf() puts id and secret into the form where the config wants that", async () => {
  const client = {
    clientId: "a",
    clientSecret: "b",
    authentication: "client_secret_post",
  } as const;
  assertEquals(await proofOf(client, VERIFIER, new ManualClock()), {
    fields: [],
    parameters: { client_id: "a", client_secret: "b" },
  });
});

async function keyed(alg: string): Promise<{ client: ClientCredentials; publicKey: CryptoKey }> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const key = readClientKey(await exportPKCS8(privateKey));
  const client = { clientId: "a", authentication: "private_key_jwt", key, keyId: "k1" } as const;
  return { client, publicKey: publicKey as CryptoKey };
}

Deno.test("proofOf() signs a statement for the issuer alone, for a minute, and another one each time", async () => {
  const clock = new ManualClock();
  const seen = new Set<unknown>();
  for (const alg of ["ES256", "ES384", "EdDSA", "RS256"]) {
    const { client, publicKey } = await keyed(alg);
    for (let times = 0; times < 2; times++) {
      const { fields, parameters } = await proofOf(client, VERIFIER, clock);
      assertEquals(fields, []);
      assertEquals(Object.keys(parameters), ["client_assertion_type", "client_assertion"]);
      assertEquals(
        parameters.client_assertion_type,
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      );
      const { payload, protectedHeader } = await jwtVerify(
        parameters.client_assertion!,
        publicKey,
        { currentDate: clock.now() },
      );
      const iat = clock.now().getTime() / 1_000;
      const { jti, ...claims } = payload;
      assertEquals(claims, { iss: "a", sub: "a", aud: ISSUER, iat, exp: iat + STATEMENT_SECONDS });
      assertEquals(protectedHeader, { alg, typ: "JWT", kid: "k1" });
      seen.add(jti);
    }
  }
  assertEquals(seen.size, 8);
});

Deno.test("proofOf() takes an algorithm that the authorization server takes, and fails without one", async () => {
  const { client, publicKey } = await keyed("PS256");
  const clock = new ManualClock();
  const verifier = { issuer: ISSUER, algorithms: ["ES256", "PS256"] };
  const { parameters } = await proofOf(client, verifier, clock);
  const { protectedHeader } = await jwtVerify(parameters.client_assertion!, publicKey, {
    currentDate: clock.now(),
  });
  assertEquals(protectedHeader.alg, "PS256");
  const none = () => proofOf(client, { issuer: ISSUER, algorithms: ["ES256"] }, clock);
  const { kind } = await assertRejects(none, TokenTrouble, "no algorithm");
  assertEquals(kind, "refused");
});

Deno.test("proofOf() names the key as its JWK does, where the config does not", async () => {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const key = readClientKey(JSON.stringify({ ...await exportJWK(privateKey), kid: "own" }));
  const client = { clientId: "a", authentication: "private_key_jwt", key } as const;
  const { parameters } = await proofOf(client, VERIFIER, new ManualClock());
  assertEquals(JSON.parse(atob(parameters.client_assertion!.split(".")[0]!)).kid, "own");
});
