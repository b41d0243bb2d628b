/**
 * The two names of a session, wherever an event of a stream carries one (R77).
 *
 * @module
 */

import type { Replacement } from "../http/mod.ts";
import type { SseEvent } from "../sse/mod.ts";

/** A session's id upstream, and its id for the client. */
export interface SessionNames {
  /** What the upstream calls it; long enough that nothing else is spelt like it. */
  readonly upstream: string;
  /** What the client calls it. */
  readonly client: string;
  /** The client's in place of the upstream's. */
  readonly toClient: Replacement;
  /** The upstream's in place of the client's. */
  readonly toUpstream: Replacement;
}

/** Events as the client may see them. */
export function renamed(
  events: readonly SseEvent[],
  { toClient }: SessionNames,
): readonly SseEvent[] {
  return events.map((event) =>
    event.data === undefined ? event : { ...event, data: toClient.apply(event.data) }
  );
}
