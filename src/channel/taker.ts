/**
 * Who is told a request or a notification of the server.
 *
 * Source: 2025-11-25 basic/transports, "Sending Messages to the Server" and "Listening for Messages from the
 * Server"; basic/utilities/progress.
 *
 * @module
 */

import { type EventBody, type Exchange, keyOf, kindOf, type RpcText, textAt } from "../rpc/mod.ts";
import type { Requests } from "./requests.ts";

const PROGRESS = "notifications/progress";
const TOKEN_PATH = ["params", "progressToken"];

/** Who can be told something. */
export type Taker = Pick<Exchange, "tell">;

/**
 * Who is told a message; undefined where it has to wait.
 *
 * Progress is for the request of its token. A request of the server should relate to one of the client's
 * (2025-11-25 basic/transports, "Sending Messages to the Server", 6), so it goes to the only one in flight.
 * Where several are in flight nothing tells which of them caused it: it goes to the newest GET stream, whose
 * client is that of them all, and without one to the newest in flight, since who waits for an older one may
 * have gone. Notifications go to the newest GET stream, and without one to the oldest in flight. A stream that
 * is only kept for a client that may come back (R57) takes what no other can be told.
 *
 * @param streams the GET streams of the session, the oldest first
 */
export function takerOf(
  message: RpcText,
  requests: Requests,
  streams: readonly EventBody[],
): Taker | undefined {
  if (message.value.method === PROGRESS) {
    const exchange = requests.byToken(keyOf(textAt(message, TOKEN_PATH)));
    if (exchange?.attended) return exchange;
  }
  const isRequest = kindOf(message) === "request";
  return takerAmong(isRequest, requests, streams, ({ isRead }) => isRead) ??
    takerAmong(isRequest, requests, streams, () => true);
}

/** The same of the streams that are `wanted`. */
function takerAmong(
  isRequest: boolean,
  requests: Requests,
  streams: readonly EventBody[],
  wanted: (one: Pick<Exchange, "isRead">) => boolean,
): Taker | undefined {
  const caller = isRequest ? requests.only() : undefined;
  if (caller !== undefined && wanted(caller)) return caller;
  const stream = streams.findLast(wanted);
  if (stream !== undefined) return { tell: (text) => stream.push(text) };
  const isTaker = (one: Exchange) => one.attended && wanted(one);
  return isRequest ? requests.newest(isTaker) : requests.oldest(isTaker);
}
