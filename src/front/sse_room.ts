/**
 * How much of what a client of HTTP+SSE says may be under way: its POSTs are answered before their messages are,
 * so nothing else bounds what it has here.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { Message } from "../json/mod.ts";

/** Messages of one client that may be under way. */
const MAX_UNDER_WAY = 256;

/** Bytes of them, as a multiple of the largest request body. */
const MAX_HELD_BODIES = 4;

/** A message whose place it is about. */
type Placed = Pick<Message, "kind" | "method">;

/** What is under way of one client. */
export class SseRoom {
  readonly #requests = { messages: 0, bytes: 0 };
  /**
   * Beside the others: what requests under way wait for, or what ends them. Behind a full limit they would
   * never end, since their places come free only then (2024-11-05 client/sampling; basic/utilities/cancellation).
   */
  readonly #replies = { messages: 0, bytes: 0 };

  /**
   * Takes a place; what it gives back frees it, once.
   *
   * @throws {ProxyError} `principal_exhausted` where there is none
   */
  take(message: Placed, bytes: number, maxRequestBytes: number): () => void {
    const taken = isReply(message) ? this.#replies : this.#requests;
    const isFull = taken.messages >= MAX_UNDER_WAY ||
      taken.bytes + bytes > MAX_HELD_BODIES * maxRequestBytes;
    if (isFull) {
      throw new ProxyError(
        "principal_exhausted",
        "This session has as much under way as it may; wait for an answer.",
        { headers: { "retry-after": "1" } },
      );
    }
    taken.messages++;
    taken.bytes += bytes;
    return () => {
      taken.messages--;
      taken.bytes -= bytes;
    };
  }
}

function isReply({ kind, method }: Placed): boolean {
  return kind === "response" || (kind === "notification" && method === "notifications/cancelled");
}
