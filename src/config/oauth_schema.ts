/**
 * Settings of access tokens: whose they are, and what they have to be.
 *
 * @module
 */

import { z } from "zod";
import { isSecureUrl } from "../http/mod.ts";

/** Algorithms of signatures that are checked with a public key: never `none`, never one with a shared secret. */
export const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;

const MAX_URL_CHARACTERS = 1_024;

/** A URL without user, fragment or spaces that goes over TLS, or stays on this machine. */
export function isSecure(value: string): boolean {
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(value) || !URL.canParse(value)) return false;
  return !value.includes("#") && isSecureUrl(new URL(value));
}

/** The same in words, to be gone on with. */
export const SECURE = "an https:// URL, or http:// on this machine, without user name, password";

/** An origin, with a path as it will be compared: as a parser of URLs writes both. */
function isPublicUrl(value: string): boolean {
  const match = /^https?:\/\/[^/?#\s"\\@]+((?:\/[A-Za-z0-9._~-]+)*)$/.exec(value);
  if (match === null || value.length > MAX_URL_CHARACTERS || !URL.canParse(value)) return false;
  return new URL(value).origin + match[1] === value &&
    new URL(value).pathname === (match[1] || "/");
}

/** Schema of `publicUrl`. */
export const publicUrlSchema = z.string().refine(isPublicUrl, {
  error: "an http:// or https:// URL without query, fragment or / at its end, such as " +
    "https://mcp.example.com",
});

const audience = z.string().min(1, { error: "a resource or the id of an API" })
  .max(MAX_URL_CHARACTERS, { error: `at most ${MAX_URL_CHARACTERS} characters` });

/** The issuer of an authorization server. */
export const issuerSchema = z.string()
  .max(MAX_URL_CHARACTERS, { error: `at most ${MAX_URL_CHARACTERS} characters` })
  .refine((value) => isSecure(value) && !value.includes("?"), {
    error: `${SECURE}, query or fragment, exactly as the authorization server writes it`,
  });

/** A scope (RFC 6749 section 3.3). */
export const scopeSchema = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, {
  error: 'one scope: 1 to 128 characters of visible ASCII without " and \\',
}).refine((value) => value !== "offline_access", {
  error: "a scope of this server; refresh tokens are between clients and the authorization server",
});

/** Schema of `auth.oauth`. */
export const oauthSchema = z.strictObject({
  issuer: issuerSchema.describe(
    "The authorization server: what its metadata and the claim iss of its tokens say, to the last character.",
  ),
  audience: z.union([audience, z.array(audience).min(1).max(16)], {
    error: "a text, or a list of 1 to 16 texts",
  }).optional().describe(
    "What the claim aud has to contain, any of these; left out, the URL of the route that is called: publicUrl " +
      "and its path. For authorization servers that know no resource indicators (RFC 8707); then a token for one " +
      "route is good for all.",
  ),
  jwksUri: z.string().max(MAX_URL_CHARACTERS, { error: `at most ${MAX_URL_CHARACTERS} characters` })
    .refine(isSecure, { error: `${SECURE} or fragment` }).optional().describe(
      "Where its keys are (JWK Set); left out, what its metadata says.",
    ),
  algorithms: z.array(z.enum(ALGORITHMS, { error: ALGORITHMS.join(", ") })).min(1, {
    error: "at least one algorithm",
  }).max(ALGORITHMS.length).default(["RS256", "ES256", "EdDSA", "PS256"]).describe(
    "With what tokens may be signed.",
  ),
  scopes: z.array(scopeSchema).max(32, { error: "at most 32 scopes" }).default([]).describe(
    "Scopes that a token needs, all of them, for every request; without them the answer is 403.",
  ),
  clockToleranceSeconds: z.int({ error: "a whole number" }).min(0, { error: "at least 0" })
    .max(300, { error: "at most 300" }).default(5).describe(
      "How far the clock of the authorization server may be from this one, in seconds.",
    ),
  nameClaim: z.string().regex(/^[A-Za-z0-9_.:/-]{1,128}$/, {
    error: "the name of a claim, such as preferred_username",
  }).optional().describe(
    "A claim whose text names the caller in log lines and on admin pages, ahead of a short hash. Left out, the " +
      "hash alone: a claim may tell who somebody is.",
  ),
  allowPrivateAddresses: z.boolean({ error: "true or false" }).default(false).describe(
    "Allows an authorization server at a private address, or on this machine.",
  ),
}).describe("Access tokens (JWT) of an authorization server.");
