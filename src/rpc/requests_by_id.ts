/**
 * The requests of a body by their ids, but for those whose ids are in use. Pure.
 *
 * @module
 */

import { errorBody, ProxyError } from "../errors.ts";
import { type Key, keyOf, kindOf, type RpcBody, type RpcText, textAt } from "./text.ts";

/** The requests of one body. */
export interface RequestsById {
  /** Those that may go on, by the keys of their ids. */
  readonly asked: ReadonlyMap<Key, RpcText>;
  /** The others, each with the text of the error that is its response. */
  readonly refused: ReadonlyMap<RpcText, string>;
}

/**
 * Sorts the requests of a body: one whose id is in flight, or twice in it, is refused, since a response or a
 * cancellation could be for either.
 */
export function requestsById(
  { messages }: RpcBody,
  isInFlight: (key: Key) => boolean,
): RequestsById {
  const asked = new Map<Key, RpcText>();
  const refused = new Map<RpcText, string>();
  for (const message of messages) {
    if (kindOf(message) !== "request") continue;
    const idText = textAt(message, ["id"])!;
    const key = keyOf(idText);
    if (key === undefined || asked.has(key) || isInFlight(key)) {
      refused.set(message, errorBody(idInUse(idText)));
    } else {
      asked.set(key, message);
    }
  }
  return { asked, refused };
}

function idInUse(idText: string): ProxyError {
  const sentence =
    "A request with this id is in flight in this session; ids must not be used again.";
  return new ProxyError("invalid_request", sentence, { idText });
}
