/**
 * What a broken proxy is.
 *
 * @module
 */

import type { Group } from "../suite/mod.ts";
import type { Sides } from "./damage.ts";

/** A proxy that breaks the rules of one group, and of no other. */
export interface BrokenProxy {
  /** Unique, in words with dashes. */
  readonly name: string;
  readonly group: Group;
  /** What it does, as a sentence without its subject. */
  readonly describe: string;
  /** The checks that it must fail; it may fail others of its group. */
  readonly breaks: readonly string[];
  /** Whether what it breaks is seen by checks alone that assume short timeouts. */
  readonly needsTimeouts?: boolean;
  /**
   * Whether the sound proxy in it keeps events and repairs streams, so that what is broken is how it does
   * that. Checks that assume it are made of such proxies alone.
   */
  readonly withEventLog?: boolean;
  /** Its damage, with a memory of its own. */
  make(): Sides;
}

/** Broken proxies of one group. */
export function ofGroup(
  group: Group,
  proxies: readonly Omit<BrokenProxy, "group">[],
): readonly BrokenProxy[] {
  return proxies.map((proxy) => ({ ...proxy, group }));
}
