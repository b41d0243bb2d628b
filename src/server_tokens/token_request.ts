/**
 * Asking for an access token with the proxy's own credentials.
 *
 * Sources: RFC 6749 sections 4.4, 5.1 and 5.2, RFC 6750 section 2.1, RFC 8707 section 2.
 *
 * @module
 */

import type { Form, FormAnswer } from "../issuer/mod.ts";
import type { ClientProof } from "./client_proof.ts";
import { codeIn } from "./refusal.ts";
import { TokenTrouble } from "./trouble.ts";

/** The longest token, in characters: heads of requests have limits. */
export const MAX_TOKEN_CHARACTERS = 8_192;

/** The shortest life that is believed, in milliseconds: an answer of 0 is no reason to ask for each request. */
export const MIN_LIFETIME_MS = 1_000;

/** What a token may be made of (RFC 6750 section 2.1). */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** A token that was given. */
export interface GivenToken {
  /** The token. */
  readonly value: string;
  /** How long it lives, in milliseconds; Infinity where nothing says so. */
  readonly lifetimeMs: number;
}

/** The form of a request. */
export function tokenForm(
  resource: string,
  scopes: readonly string[],
  { fields, parameters }: ClientProof,
): Form {
  const form = new URLSearchParams({ grant_type: "client_credentials", resource, ...parameters });
  if (scopes.length > 0) form.set("scope", scopes.join(" "));
  return { parameters: form, fields };
}

/**
 * The token in an answer.
 *
 * @throws {TokenTrouble} where there is none
 */
export function readToken({ status, document, retryAfterMs }: FormAnswer): GivenToken {
  const told = document as Readonly<Record<string, unknown>> | null | undefined;
  if (status !== 200) throw refusal(status, codeIn(told?.["error"]), retryAfterMs);
  const { access_token: value, token_type: type, expires_in: seconds } = told ?? {};
  const isToken = typeof value === "string" && value.length <= MAX_TOKEN_CHARACTERS &&
    TOKEN.test(value);
  if (!isToken) throw new TokenTrouble("unavailable", "its answer has no sound access_token");
  if (typeof type !== "string" || type.toLowerCase() !== "bearer") {
    throw new TokenTrouble("refused", "its token_type is not Bearer, which is all that goes here");
  }
  return { value, lifetimeMs: lifetimeOf(seconds) };
}

/** RFC 6749 section 5.2 has 400 and 401 for what another try does not mend. */
function refusal(status: number, code: string | undefined, retryAfterMs = 0): TokenTrouble {
  const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429;
  const said = code === undefined ? "" : ` with ${code}`;
  const sentence = `its token endpoint answered ${status}${said}`;
  const kind = isFinal ? "refused" : "unavailable";
  return new TokenTrouble(kind, sentence, undefined, retryAfterMs);
}

/** Some servers write the number as text. */
function lifetimeOf(seconds: unknown): number {
  const number = typeof seconds === "string" && /^\d{1,12}$/.test(seconds)
    ? Number(seconds)
    : seconds;
  if (typeof number !== "number" || !Number.isFinite(number)) return Infinity;
  return Math.max(MIN_LIFETIME_MS, number * 1_000);
}
