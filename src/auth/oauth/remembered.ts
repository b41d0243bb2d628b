/**
 * What tokens were found to allow, for a short while: so that the usual call costs one hash and no signature.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Clock } from "../../clock.ts";
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
  readonly #grants = new Map<string, Remembered>();

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
    this.#grants.delete(digest);
    if (this.#clock.monotonicMs() - found.checkedMs >= REMEMBERED_MS) return undefined;
    // Behind the others, which go first.
    this.#grants.set(digest, found);
    return found.grant;
  }

  /** Remembers what a token allows. */
  set(digest: string, grant: Grant): void {
    this.#grants.delete(digest);
    this.#grants.set(digest, { grant, checkedMs: this.#clock.monotonicMs() });
    if (this.#grants.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#grants.keys()) {
      this.#grants.delete(oldest);
      break;
    }
  }
}

/** By what a token is remembered. */
export function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
