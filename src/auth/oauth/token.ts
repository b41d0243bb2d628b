/**
 * One access token checked: its signature, its issuer, its time, and what kind of token it is.
 *
 * Sources: RFC 9068 section 4, RFC 8725 section 3, RFC 7519; 2026-07-28 basic/authorization "Token Handling". No
 * cryptography is written here: it is jose's.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyOptions,
  type ProtectedHeaderParameters,
} from "jose";
import type { Clock } from "../../clock.ts";
import type { Principal } from "../authenticate.ts";
import type { IssuerKeys, KeySet } from "./keys.ts";

/** Characters of a token. */
export const MAX_TOKEN_CHARACTERS = 8_192;

/** Characters of a `sub` (OpenID Connect Core section 2) or the id of a client. */
export const MAX_SUBJECT_CHARACTERS = 255;

/** Characters that a log line has of the claim which names a caller. */
export const MAX_NAME_CHARACTERS = 64;

/** Keys tried for a token that does not say which one it is. */
export const MAX_TRIED_KEYS = 8;

/** Three parts in base64url, of which the last may be empty: what a JWS looks like, sound or not. */
export const LOOKS_LIKE_JWT = /^[\w-]+\.[\w-]*\.[\w-]*$/;

/** What the header's `typ` may be: an access token (RFC 9068 section 2.1), or nothing in particular. */
const TYPES: ReadonlySet<string> = new Set(["at+jwt", "application/at+jwt", "jwt", ""]);

/** What Keycloak says in the claim `typ` of tokens that are for itself and not for a resource. */
const FOREIGN_TYPES: ReadonlySet<unknown> = new Set(["ID", "Refresh", "Offline", "Logout"]);

/** Claims that a token has for a person; many persons have one client between them. */
const PERSONAL_CLAIMS = ["sid", "preferred_username", "email", "auth_time", "name"];

/** Claims of ID tokens and of events, which access tokens have no use for (RFC 8725 section 3.12). */
const FOREIGN_CLAIMS = ["at_hash", "c_hash", "events"];

/** What a token has to be. */
export interface TokenRules {
  /** Who has to have issued it. */
  readonly issuer: string;
  /** With what it may be signed: algorithms with public keys alone. */
  readonly algorithms: readonly string[];
  /** How far the clocks may be apart, in seconds. */
  readonly clockToleranceSeconds: number;
  /** Scopes that it needs. */
  readonly scopes: readonly string[];
  /** The claim that names its holder in the log, with `#` and a short hash behind it; without one `oauth`. */
  readonly nameClaim?: string | undefined;
}

/** What a token allows. */
export interface Grant {
  /** Whose it is. */
  readonly principal: Principal;
  /** For which resources it was issued. */
  readonly audiences: readonly string[];
  /** Whether it has all scopes that are needed. */
  readonly hasScopes: boolean;
  /** When it runs out, clock tolerance included, in milliseconds since 1970. */
  readonly untilMs: number;
}

/** Why a token is none: part of a sentence that its holder may read. */
export class TokenError extends Error {
  /** A token of which `message` is true. */
  constructor(message: string) {
    super(message);
    this.name = "TokenError";
  }
}

/**
 * What `token` allows.
 *
 * @throws {TokenError} where it is not valid
 * @throws {ProxyError} `authorization_unavailable` where no keys can be had
 */
export async function verifyToken(
  token: string,
  rules: TokenRules,
  keys: IssuerKeys,
  clock: Clock,
): Promise<Grant> {
  // So that nobody has keys fetched by a token which can be no good.
  const claims = requireOwn(token, rules);
  const options: JWTVerifyOptions = {
    algorithms: [...rules.algorithms],
    issuer: rules.issuer,
    requiredClaims: ["exp", "aud"],
    clockTolerance: rules.clockToleranceSeconds,
    currentDate: clock.now(),
  };
  const issuedMs = issuedAtLatest(claims, rules, clock.now().getTime());
  return grantOf(await verified(token, issuedMs, keys, options), rules);
}

/** What can be told of a token ahead of its signature; its claims, of which nothing is known to be true yet. */
function requireOwn(token: string, { issuer, algorithms }: TokenRules): JWTPayload {
  let header: ProtectedHeaderParameters;
  let claims: JWTPayload;
  try {
    header = decodeProtectedHeader(token);
    claims = decodeJwt(token);
  } catch {
    throw new TokenError("is no JWT");
  }
  if (!algorithms.includes(header.alg ?? "")) {
    throw new TokenError("is signed with an algorithm that is not allowed");
  }
  const { typ = "" } = header;
  if (typeof typ !== "string" || !TYPES.has(typ.toLowerCase())) {
    throw new TokenError("is not an access token");
  }
  if (claims.iss !== issuer) throw new TokenError("is of another issuer");
  return claims;
}

/**
 * When a token was issued at the latest by what it says, in milliseconds since 1970: that decides whether a wait for
 * its key is worth while, as it is never for one that is not good at this time.
 */
function issuedAtLatest(
  { iat, exp, nbf = 0 }: JWTPayload,
  { clockToleranceSeconds: tolerance }: TokenRules,
  nowMs: number,
): number {
  const nowSeconds = nowMs / 1_000;
  if (!(Number(exp) + tolerance > nowSeconds && Number(nbf) - tolerance <= nowSeconds)) {
    return -Infinity;
  }
  // Whole seconds, cut off.
  return typeof iat === "number" ? (iat + 1 + tolerance) * 1_000 : Infinity;
}

async function verified(
  token: string,
  issuedMs: number,
  keys: IssuerKeys,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  const known = await keys.current();
  try {
    return await verifiedWith(known, token, keys, options);
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw tokenError(error);
  }
  const newer = await keys.newerThan(known, issuedMs);
  if (newer === undefined) {
    throw new TokenError("is signed with a key that its issuer does not have");
  }
  try {
    return await verifiedWith(newer, token, keys, options);
  } catch (error) {
    throw tokenError(error);
  }
}

async function verifiedWith(
  set: KeySet,
  token: string,
  keys: IssuerKeys,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  let candidates: errors.JWKSMultipleMatchingKeys;
  try {
    return (await jwtVerify(token, set, options)).payload;
  } catch (error) {
    // What is wrong with a key, such as its size, is none of jose's own errors; it is no fault of the proxy.
    if (!(error instanceof errors.JOSEError)) {
      keys.tellUnusable(set, error);
      throw new TokenError("is signed with a key that cannot be used");
    }
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    candidates = error;
  }
  return await verifiedWithOne(
    candidates,
    token,
    options,
    (error) => keys.tellUnusable(set, error),
  );
}

/** A token that names no key, or one of a name that several have. */
async function verifiedWithOne(
  candidates: errors.JWKSMultipleMatchingKeys,
  token: string,
  options: JWTVerifyOptions,
  tellUnusable: (error: unknown) => void,
): Promise<JWTPayload> {
  let tried = 0;
  for await (const key of candidates) {
    if (++tried > MAX_TRIED_KEYS) break;
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) tellUnusable(error);
      else if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

function tokenError(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new TokenError("has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "nbf" && error.reason === "check_failed") {
      return new TokenError("is not valid yet");
    }
    return new TokenError(`has no valid claim ${error.claim}`);
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return new TokenError("is signed with a key that its issuer does not have");
  }
  if (error instanceof errors.JOSEError) return new TokenError("has no valid signature");
  return error;
}

function grantOf(claims: JWTPayload, rules: TokenRules): Grant {
  if (FOREIGN_TYPES.has(claims.typ) || FOREIGN_CLAIMS.some((claim) => claim in claims)) {
    throw new TokenError("is not an access token");
  }
  // Its holder would have to prove that the key is theirs (RFC 7800), which nobody has asked for here.
  if ("cnf" in claims) throw new TokenError("is bound to a key, which this proxy does not check");
  const untilMs = (claims.exp! + rules.clockToleranceSeconds) * 1_000;
  const audiences = audiencesOf(claims);
  const granted = scopesOf(claims);
  return {
    principal: { ...principalOf(claims, rules), validUntilMs: untilMs },
    audiences,
    hasScopes: rules.scopes.every((scope) => granted.has(scope)),
    untilMs,
  };
}

/** A text, or a list of them (RFC 7519 section 4.1.3). */
function audiencesOf({ aud }: { readonly aud?: unknown }): readonly string[] {
  if (typeof aud === "string") return [aud];
  if (!Array.isArray(aud)) throw new TokenError("has no valid claim aud");
  return aud.filter((one) => typeof one === "string");
}

/** `scope` (RFC 9068 section 2.2.3), or `scp` as Entra has it in a text and Okta in a list. */
function scopesOf({ scope, scp }: JWTPayload): ReadonlySet<unknown> {
  const lists = [scope, scp].flatMap((value) =>
    typeof value === "string" ? value.split(" ") : value
  );
  return new Set(lists);
}

/**
 * Who a token is for; the same for each that the caller is given. RFC 9068 section 2.2 wants `sub`; some servers leave
 * it out for a program that calls for itself, whose name is `client_id`. `azp` names nobody: it is who has asked for
 * the token, for whomever.
 */
function principalOf(claims: JWTPayload, { issuer, nameClaim }: TokenRules): Principal {
  const { sub, client_id: clientId } = claims;
  const isProgram = !PERSONAL_CLAIMS.some((claim) => claim in claims);
  const subject = sub !== undefined
    ? isSubject(sub) && `sub:${sub}`
    : isProgram && isSubject(clientId) && `client:${clientId}`;
  if (subject === false) {
    throw new TokenError("has no valid claim sub, nor the client_id of a program alone");
  }
  const id = `oauth:${issuer}#${subject}`;
  return { id, name: nameOf(id, nameClaim === undefined ? undefined : claims[nameClaim]) };
}

function isSubject(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_SUBJECT_CHARACTERS;
}

/**
 * The name of a principal in log lines. A subject may be somebody's address, and a claim may say what its holder
 * likes: so the name is a short hash of the id, behind what a claim says where the config wants one. The hash tells
 * those of one name apart, and no API key's name has `#`.
 */
export function nameOf(id: string, claimed?: unknown): string {
  const hash = createHash("sha256").update(id).digest("hex").slice(0, 16);
  const text = typeof claimed === "string" && claimed !== "" ? printable(claimed) : "oauth";
  return `${text}#${hash}`;
}

/** Without what is no letter, digit, punctuation, symbol or space, such as line breaks and marks of direction. */
function printable(text: string): string {
  const short = [...text.slice(0, 2 * MAX_NAME_CHARACTERS)].slice(0, MAX_NAME_CHARACTERS).join("");
  return short.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "?");
}
