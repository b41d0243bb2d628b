/**
 * For whom an answer of the server may be kept.
 *
 * Source: 2026-07-28 server/utilities/caching.
 *
 * @module
 */

import type { UpstreamCall } from "../../upstream/mod.ts";
import { credentialsIn } from "../credentials.ts";
import type { Settings } from "./options.ts";

/** The longest time for which anything is kept, in milliseconds: what `ttlMs` says can be of any size. */
export const MAX_KEPT_MS = 86_400_000;

/** Whose answer is whose: for everybody with one query, and for one caller. */
export interface Audience {
  /** For whoever asks with the same query. */
  readonly everybody: string;
  /** For the same principal with the same credentials. */
  readonly caller: string;
}

/** For whom answers to a call may be kept. */
export function audienceOf(
  { headers, principal, query }: UpstreamCall,
  { withheld }: Pick<Settings, "withheld">,
): Audience {
  return {
    everybody: JSON.stringify([query]),
    caller: JSON.stringify([query, principal, credentialsIn(headers, withheld)]),
  };
}

/** How long a result stays fresh, in milliseconds; 0 where it does not say. */
export function freshMs(ttlMs: unknown): number {
  return typeof ttlMs === "number" && ttlMs > 0 ? Math.min(ttlMs, MAX_KEPT_MS) : 0;
}
