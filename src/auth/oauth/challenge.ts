/**
 * What a caller without a good token is told, and how to come by one.
 *
 * Sources: RFC 6750 section 3, RFC 9728 section 5.1; 2026-07-28 basic/authorization "Error Handling".
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";

/** What a challenge says beside what is wrong. */
export interface ChallengeFacts {
  /** Where the metadata of the resource is; left out where the path names none. */
  readonly metadataUrl: string | undefined;
  /** The scopes that are needed, all of them in each challenge. */
  readonly scopes: readonly string[];
}

/** The 401 for a request without a token: no error code, since nothing was wrong (RFC 6750 section 3.1). */
export function tokenWanted(facts: ChallengeFacts, advice: string): ProxyError {
  return refused("unauthorized", `This proxy wants ${advice}.`, facts);
}

/** The 401 for a token that is not good; `reason` is the rest of a sentence, such as `has expired`. */
export function tokenRefused(facts: ChallengeFacts, reason: string): ProxyError {
  const description = `The access token ${reason}`;
  return refused("unauthorized", `${description}.`, facts, { error: "invalid_token", description });
}

/** The 403 for a good token that allows too little. */
export function scopesWanted(facts: ChallengeFacts): ProxyError {
  const description = "The access token lacks a scope that is needed here";
  return refused("insufficient_scope", `${description}.`, facts, {
    error: "insufficient_scope",
    description,
  });
}

function refused(
  kind: "unauthorized" | "insufficient_scope",
  message: string,
  { metadataUrl, scopes }: ChallengeFacts,
  wrong?: { readonly error: string; readonly description: string },
): ProxyError {
  const parameters = [
    ["realm", "switchyard"],
    ["error", wrong?.error],
    ["error_description", wrong?.description],
    ["resource_metadata", metadataUrl],
    ["scope", scopes.length > 0 ? scopes.join(" ") : undefined],
  ].flatMap(([name, value]) => value === undefined ? [] : `${name}="${value}"`);
  return new ProxyError(kind, message, {
    headers: { "www-authenticate": `Bearer ${parameters.join(", ")}` },
  });
}
