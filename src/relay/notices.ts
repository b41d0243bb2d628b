/**
 * What a stream says of itself to its client.
 *
 * @module
 */

import { eventId } from "../event_log/mod.ts";
import type { Bytes } from "../http/mod.ts";
import { encodeEvent, encodeEvents } from "../sse/mod.ts";
import { errorsFor, notKept } from "./failure.ts";
import type { Outgoing } from "./framing.ts";

const SUBSCRIPTION_ID_KEY = "io.modelcontextprotocol/subscriptionId";

/** An event without data that gives a client an id to come back with (2025-11-25 basic/transports). */
export function primingEvent(stream: string): Bytes {
  return encodeEvent({ id: eventId(stream, 0), data: "" });
}

/**
 * The result of the `subscriptions/listen` with the id `idText`: it ends as it should (2026-07-28
 * basic/patterns/subscriptions, "Graceful Closure").
 */
export function subscriptionOver(idText: string): Bytes {
  const result = `{"resultType":"complete","_meta":{"${SUBSCRIPTION_ID_KEY}":${idText}}}`;
  const data = `{"jsonrpc":"2.0","id":${idText},"result":${result}}`;
  return encodeEvent({ event: "message", data });
}

/**
 * A comment where events are missing (R80), an error for each request whose answer is among them (R58), and
 * what may have changed.
 */
export function gapNotice(
  after: number,
  upTo: number,
  lost: readonly string[],
  missed: readonly Outgoing[] = [],
): Bytes {
  const text = ` gap: of the events ${after + 1} to ${upTo} some are no longer held`;
  return encodeEvents([{ comments: [text] }, ...errorsFor(lost, notKept()), ...missed]);
}

/** A comment ahead of a stream that takes the place of one which is gone (R80). */
export const NEW_STREAM_NOTICE: Outgoing = {
  comments: [" gap: the stream of the last event is no longer held; this is a new one"],
};
