/**
 * What the client of a session is told where the stream on which its server speaks first has had a gap.
 *
 * Source: 2025-11-25 server/tools, server/prompts and server/resources, "List Changed Notification" and
 * "Subscriptions"; basic/transports, "Resumability and Redelivery": behind no event id nothing is given again.
 *
 * @module
 */

import { encode, missedChanges } from "../rpc/mod.ts";
import type { Session } from "../session/mod.ts";
import type { SseEvent } from "../sse/mod.ts";

/** An event for each list and resource that may have changed meanwhile, as the server would tell it. */
export function missedEvents({ record, names }: Session): readonly SseEvent[] {
  return missedChanges(record.changingLists ?? [], record.subscriptions).map(({ text }) => {
    const data = encode(text);
    return {
      id: undefined,
      event: "message",
      retry: undefined,
      comments: [],
      // A URI may hold the session's id, which the client knows by another name (R77).
      data: names === undefined ? data : names.toClient.apply(data),
    };
  });
}
