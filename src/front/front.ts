/**
 * What a front is: it answers the requests of one route.
 *
 * @module
 */

import type { Principal } from "../auth/mod.ts";
import type { LimitsConfig } from "../config/mod.ts";
import type { ClientAnswer, ClientRequest, Deliver } from "../http/mod.ts";
import type { JsonLimits } from "../json/mod.ts";
import type { SessionTable } from "../session/mod.ts";
import type { SentTo, Upstream } from "../upstream/mod.ts";
import type { Exchanges } from "./exchanges.ts";
import type { FailureSinks } from "./failures.ts";
import type { InterceptorsOptions } from "./interceptors.ts";
import type { Recovery } from "./recovery.ts";
import type { Streams } from "./streams.ts";
import type { FrontUse } from "./use.ts";

/** What the front of one route works with. */
export interface FrontOptions extends FailureSinks {
  /** The route's name. */
  readonly route: string;
  /** The server behind the route. */
  readonly upstream: Upstream;
  /** The sessions of all routes. */
  readonly sessions: SessionTable;
  /** The answers under way on all routes. */
  readonly exchanges: Exchanges;
  /** Keeps open what answers work with; left out where that is never replaced. */
  readonly use?: FrontUse | undefined;
  /** How event streams reach clients. */
  readonly streams: Streams;
  /** Makes sessions anew that the upstream has lost. */
  readonly recovery: Recovery;
  /** What looks at messages; left out where nothing does. */
  readonly interceptors?: InterceptorsOptions | undefined;
  /** What clients may use. */
  readonly limits: LimitsConfig & JsonLimits;
}

/** What is told about a request in the log; filled in as it becomes known. */
export interface RequestFacts {
  /** Where it was sent. */
  readonly sent: SentTo;
  /** The era, once it is decided. */
  era?: string;
  /** The JSON-RPC method, or `batch` or `response`. */
  rpc?: string;
}

/**
 * Answers the requests of one route; with `deliver` ahead of its promise, where it can. Throws and rejects with
 * nothing but a `ProxyError`.
 */
export type Front = (
  request: ClientRequest,
  principal: Principal,
  query: string,
  facts: RequestFacts,
  deliver?: Deliver,
) => Promise<ClientAnswer>;
