/**
 * Settings of the credentials that the proxy itself has for a server: those of an OAuth client that was registered at
 * its authorization server beforehand.
 *
 * @module
 */

import { z } from "zod";
import { issuerSchema, scopeSchema } from "./oauth_schema.ts";

/** What the id of a client, or its secret, is made of (RFC 6749 appendix A.1 and A.2). */
const visible = z.string().regex(/^[\x20-\x7e]{1,4096}$/, {
  error: "1 to 4096 characters of printable ASCII",
});

/** The identifier of a resource (RFC 8707 section 2). */
const resource = z.string().max(2_048, { error: "at most 2048 characters" }).refine(
  (value) =>
    /^https?:\/\/[\x21-\x7e]+$/i.test(value) && URL.canParse(value) && !value.includes("#"),
  { error: "the URL that tokens for this server are issued for, without fragment" },
);

/** Schema of `upstream.oauth`. */
export const upstreamOauthSchema = z.strictObject({
  issuer: issuerSchema.describe(
    "The authorization server at which the client is registered: what its metadata say, to the last character. The " +
      "secret goes to no other, whatever the server names.",
  ),
  clientId: visible.describe("The id of the client."),
  authentication: z.enum(["client_secret_basic", "client_secret_post", "private_key_jwt"], {
    error: "client_secret_basic, client_secret_post or private_key_jwt",
  }).default("client_secret_basic").describe(
    "How the client shows who it is: with clientSecret in Authorization or in the form, or with a statement that " +
      "its private key signs (RFC 7523).",
  ),
  clientSecret: visible.optional().describe(
    "The secret of the client. Better ${NAME}, which stands for a variable of the environment.",
  ),
  privateKey: z.string().min(1, { error: "a key" }).max(16_384, {
    error: "at most 16384 characters",
  }).optional().describe(
    "The client's private key, as PEM or JWK, best as ${NAME}: RSA, EC (P-256, P-384, P-521) or Ed25519.",
  ),
  privateKeyFile: z.string().min(1, { error: "a file" }).optional().describe(
    "A file with that key in its place.",
  ),
  keyId: z.string().regex(/^[\x21-\x7e]{1,256}$/, {
    error: "1 to 256 characters of visible ASCII",
  }).optional().describe(
    "The name of that key at the authorization server (kid), where that knows several; left out, what the JWK says.",
  ),
  scopes: z.array(scopeSchema).max(32, { error: "at most 32 scopes" }).optional().describe(
    "Scopes to ask for, always the same; left out, what the server asks for, or else what its metadata list: whatever " +
      "it names.",
  ),
  resource: resource.optional().describe(
    "What tokens are asked for (RFC 8707), where the server is dialled under another URL than its public one; left " +
      "out, what its metadata say, which has to be the URL dialled here, or one above it that says so at its own place.",
  ),
  allowPrivateAddresses: z.boolean({ error: "true or false" }).default(false).describe(
    "Allows an authorization server at a private address, or on this machine.",
  ),
}).describe(
  "Credentials of the proxy's own for a server that wants access tokens: with them it fetches tokens " +
    "(client_credentials), renews them, and sends them with each request. Not beside credentials: forward, nor " +
    "Authorization in headers.",
);
