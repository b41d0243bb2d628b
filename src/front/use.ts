/**
 * Saying that something is in use, so that what a reload has replaced is closed no earlier and no later than
 * when the last who works with it is through.
 *
 * @module
 */

import type { Principal } from "../auth/mod.ts";

/** Who is served: by whom a credential was shown, who found it good, and until when, which may be put off. */
export type Served = Pick<Principal, "id" | "validUntilMs" | "authority">;

/** What a front works with, which is closed once it was replaced and nobody uses it. */
export interface FrontUse {
  /** Keeps the upstream and the interceptors open until as many calls of `leave`. */
  enter(): void;
  /** What `enter` was for is over. */
  leave(): void;
  /** Keeps them open until what this gives is called. */
  hold(): () => void;
  /** The same for the interceptors alone. */
  holdInterceptors(): () => void;
  /** Whether the upstream has been closed. */
  readonly isOver: boolean;
  /** Whether the config of now has the route and knows the principal, whose credential has not run out. */
  serves(principal: Served): boolean;
}

/**
 * Whether a reload has left the route and the principal where they are, and the credential is still good; true where
 * there is nothing to ask.
 */
export function servesStill(use: FrontUse | undefined, principal: Served): () => boolean {
  return () => use?.serves(principal) ?? true;
}
