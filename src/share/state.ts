/**
 * What the parts of a hub know of each other.
 *
 * @module
 */

import type { Drops, Turns } from "../rpc/mod.ts";
import type { InFlight } from "./in_flight.ts";
import type { Member } from "./member.ts";
import type { Settings } from "./options.ts";
import type { ServerRequests } from "./server_requests.ts";
import type { UpstreamSession } from "./session.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** One upstream session and all that its members have in it. */
export interface HubState {
  /** Settings and bounds. */
  readonly settings: Settings;
  /** The upstream session. */
  readonly session: UpstreamSession;
  /** Who shares it. */
  readonly members: Set<Member>;
  /** Those of them that listen, the longest first. */
  readonly listeners: Set<Member>;
  /** Requests of members. */
  readonly inFlight: InFlight;
  /** Requests of the server. */
  readonly serverRequests: ServerRequests;
  /** Subscriptions to resources. */
  readonly subscriptions: Subscriptions;
  /** One change at a time. */
  readonly turns: Turns;
  /** What could not be delivered. */
  readonly drops: Drops;
  /** The level that the server was told last. */
  logLevel: string | undefined;
  /** Has something done upstream for which nobody waits; given up, and counted, where too much of it is under way. */
  aside(name: string, act: () => Promise<unknown>): void;
}
