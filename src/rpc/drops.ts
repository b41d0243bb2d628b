/**
 * Counting what could not be delivered.
 *
 * @module
 */

import { ODD_METHOD } from "../json/mod.ts";
import { kindOf, type RpcText } from "./text.ts";

/** Names that are counted apart; all others together. */
export const MAX_DROP_NAMES = 64;

/** What was dropped, by method. */
export class Drops {
  readonly #counts = new Map<string, number>();
  /** Listeners that took too little of what was sent to them. */
  slowMembers = 0;

  /** Counts one message. */
  count(name: string): void {
    const told = /^[\w/.$() -]{1,64}$/.test(name) ? name : ODD_METHOD;
    const counted = this.#counts.has(told) || this.#counts.size < MAX_DROP_NAMES
      ? told
      : "(others)";
    this.#counts.set(counted, (this.#counts.get(counted) ?? 0) + 1);
  }

  /** The counts so far. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}

/** The name under which a message is counted. */
export function nameOf(message: RpcText): string {
  const { method } = message.value;
  if (typeof method === "string") return method;
  return kindOf(message) === "response" ? "(response)" : "(no JSON-RPC)";
}
