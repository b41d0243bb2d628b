/**
 * What an answer says of the token that went with its request. Pure.
 *
 * Sources: RFC 6750 section 3, RFC 9728 section 5.1; 2026-07-28 basic/authorization, "Scope Challenge Handling".
 *
 * @module
 */

import { type FieldReader, parseChallenges } from "../http/mod.ts";

/** Scopes of one challenge that are looked at. */
export const MAX_CHALLENGED_SCOPES = 32;

/** A scope (RFC 6749 section 3.3). */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

/** A code with which a server or an authorization server refuses, as it may be logged. */
const CODE = /^[a-z_]{1,64}$/;

/** What a server asks for with `WWW-Authenticate: Bearer`. */
export interface Wanted {
  /** Where its metadata are, if it says so. */
  readonly metadata: string | undefined;
  /** The scopes that it names; undefined where it names none. */
  readonly scopes: readonly string[] | undefined;
  /** What it says is wrong. */
  readonly error: string | undefined;
}

/** An answer by which another token is wanted; whether its request may have run is for `verdict.ts` to say. */
export interface Refusal {
  /** `token`: another one is wanted (401). `scope`: one that allows more (403). */
  readonly kind: "token" | "scope";
  /** What the server asks for; undefined where it does not say. */
  readonly wanted: Wanted | undefined;
}

/** The refusal in the head of an answer; undefined where it is none that another token could change. */
export function refusalIn(status: number, fields: FieldReader): Refusal | undefined {
  if (status === 401) return { kind: "token", wanted: wantedIn(fields) };
  if (status !== 403) return undefined;
  const wanted = wantedIn(fields);
  return wanted?.error === "insufficient_scope" ? { kind: "scope", wanted } : undefined;
}

/** What the first challenge for a bearer token says; undefined where there is none. */
export function wantedIn(fields: FieldReader): Wanted | undefined {
  const values: string[] = [];
  fields.forEach((value, name) => name === "www-authenticate" && values.push(value));
  for (const { scheme, params } of values.flatMap(parseChallenges)) {
    if (scheme.toLowerCase() !== "bearer") continue;
    const param = new Map(params);
    return {
      metadata: param.get("resource_metadata"),
      scopes: scopesIn(param.get("scope")),
      error: codeIn(param.get("error")),
    };
  }
  return undefined;
}

/** A code as it may be logged; what is none may hold anything. */
export function codeIn(text: unknown): string | undefined {
  return typeof text === "string" && CODE.test(text) ? text : undefined;
}

function scopesIn(text: string | undefined): readonly string[] | undefined {
  const scopes = text?.split(" ").filter((scope) => SCOPE.test(scope)) ?? [];
  return scopes.length === 0 ? undefined : scopes.slice(0, MAX_CHALLENGED_SCOPES);
}

/** Scopes that metadata list; undefined where they list none. */
export function listedScopes(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const scopes = value.filter((scope) => typeof scope === "string" && SCOPE.test(scope));
  return scopes.length === 0 ? undefined : scopes.slice(0, MAX_CHALLENGED_SCOPES);
}
