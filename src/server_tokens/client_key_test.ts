import { assert, assertEquals, assertThrows } from "@std/assert";
import { generateKeyPairSync } from "node:crypto";
import { exportJWK, exportPKCS8, generateKeyPair } from "jose";
import { readClientKey } from "./client_key.ts";

async function pair(alg: string, crv?: string) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, ...(crv && { crv }) });
  return { pem: await exportPKCS8(privateKey), jwk: await exportJWK(privateKey) };
}

Deno.test("readClientKey() knows from a key, as PEM or JWK, with which algorithms it can sign", async () => {
  const kinds = {
    ES256: ["ES256"],
    ES384: ["ES384"],
    ES512: ["ES512"],
    EdDSA: ["EdDSA", "Ed25519"],
    RS256: ["RS256", "PS256", "RS384", "PS384", "RS512", "PS512"],
  };
  for (const [alg, algorithms] of Object.entries(kinds)) {
    const { pem, jwk } = await pair(alg, alg === "EdDSA" ? "Ed25519" : undefined);
    const read = readClientKey(`\n${pem}`);
    assertEquals([read.algorithms, read.keyId], [algorithms, undefined]);
    assertEquals(read.jwk, readClientKey(JSON.stringify(jwk)).jwk);
    assertEquals(read.jwk.d, jwk.d);
  }
});

Deno.test("readClientKey() goes by the alg and kid of a JWK", async () => {
  const { jwk } = await pair("RS256");
  const { algorithms, keyId } = readClientKey(
    JSON.stringify({ ...jwk, alg: "PS384", kid: "mine" }),
  );
  assertEquals([algorithms, keyId], [["PS384"], "mine"]);
  const wrong = JSON.stringify({ ...jwk, alg: "ES256" });
  assertThrows(() => readClientKey(wrong), TypeError, "a key whose alg is of another kind of key");
});

Deno.test("R96 readClientKey() says what is wrong with a key and shows nothing of it", async () => {
  const { pem, jwk } = await pair("ES256");
  const { d: _d, ...publicJwk } = jwk;
  const small = generateKeyPairSync("rsa", { modulusLength: 1_024 }).privateKey;
  const texts = [
    "canary",
    "{canary",
    pem.slice(0, 60),
    JSON.stringify(publicJwk),
    JSON.stringify({ kty: "oct", k: "Y2FuYXJ5" }),
    small.export({ type: "pkcs8", format: "pem" }) as string,
    generateKeyPairSync("x25519").privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  ];
  for (const text of texts) {
    const { message, cause } = assertThrows(() => readClientKey(text), TypeError);
    assert(/^(what|a key) /.test(message), message);
    assert(!message.includes("canary") && cause === undefined, message);
  }
});
