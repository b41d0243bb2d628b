/**
 * One client among those that share an upstream session.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import type { Capabilities, Key, QueuedStream } from "../rpc/mod.ts";
import type { Exchange } from "./in_flight.ts";
import type { Given } from "./server_requests.ts";

/** A client's session, as the hub sees it. */
export class Member {
  /** The random id that stands for it; what the front takes for the upstream's session id. */
  readonly id: string;
  /** What it declared in `initialize`. */
  readonly capabilities: Capabilities;
  /** The level of its last `logging/setLevel`; it gets all lines without one. */
  level: string | undefined;
  /** When it was last used, on the clock's monotonic scale. */
  lastUsedMs: number;
  /** Whether it has left. */
  gone = false;
  /** URIs that it has subscribed to. */
  readonly subscriptions = new Set<string>();
  /** POSTs whose answers are not complete, those that it may still take up again included. */
  readonly exchanges = new Set<Exchange>();
  /** How many of its requests wait for an answer. */
  waiting = 0;
  /** The ids under which they went up, by its own. */
  readonly asked = new Map<Key, string>();
  /** Requests of the server that wait for its answer. */
  readonly given = new Set<Given>();
  /** The streams on which it listens, the newest last. */
  readonly streams: QueuedStream[] = [];

  /** A member that has done nothing yet. */
  constructor(id: string, capabilities: Capabilities, nowMs: number) {
    this.id = id;
    this.capabilities = capabilities;
    this.lastUsedMs = nowMs;
  }

  /** Whether anything of it is under way. */
  get busy(): boolean {
    return this.streams.length > 0 || [...this.exchanges].some(({ open }) => open);
  }

  /** Hands it an event on the newest stream on which it listens; false where there is none. */
  push(event: Bytes): boolean {
    return this.streams.at(-1)?.push(event) ?? false;
  }
}
