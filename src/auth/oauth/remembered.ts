/**
 * What tokens were found to allow, for a short while: so that the usual call costs one hash and no signature.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { Latest } from "./latest.ts";
import type { Grant } from "./token.ts";

/** How long a token is taken for what it was found to be, in milliseconds; less where it runs out earlier. */
export const REMEMBERED_MS = 60_000;

/** Tokens that are remembered; beyond that the one that was not used for longest is checked anew. */
export const MAX_REMEMBERED = 10_000;

interface Remembered {
  readonly grant: Grant;
  readonly checkedMs: number;
}

/** Grants by the SHA-256 of their tokens; the tokens themselves are kept nowhere. */
export class RememberedGrants {
  readonly #clock: Clock;
  readonly #grants = new Latest<Remembered>(MAX_REMEMBERED);

  /** None yet. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many there are. */
  get size(): number {
    return this.#grants.size;
  }

  /** What the token with this digest allows; undefined where that is to be found out. */
  get(digest: string): Grant | undefined {
    const found = this.#grants.get(digest);
    if (found === undefined) return undefined;
    if (this.#clock.monotonicMs() - found.checkedMs < REMEMBERED_MS) return found.grant;
    this.#grants.delete(digest);
    return undefined;
  }

  /** Remembers what a token allows. */
  set(digest: string, grant: Grant): void {
    this.#grants.set(digest, { grant, checkedMs: this.#clock.monotonicMs() });
  }
}

/** By what a token is remembered. */
export function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
