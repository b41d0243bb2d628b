/**
 * Many client sessions on one upstream session: a decorator of an `Upstream`, of which the front knows
 * nothing.
 *
 * `shared_upstream.ts` finds the member of a call and its hub; `hub.ts` is one upstream session (`session.ts`)
 * with its one listening stream (`listening.ts`). What goes up is renamed in `outgoing.ts`, what comes down
 * finds its member in `routing.ts`, by the tables of `in_flight.ts`, `server_requests.ts` and
 * `subscriptions.ts`.
 *
 * May import `clock.ts`, `errors.ts`, `http`, `json`, `relay`, `rpc`, `sse` and `upstream`.
 *
 * @module
 */

export { type SharedStats, type SharedUpstream, sharedUpstream } from "./shared_upstream.ts";
export { DEFAULT_BOUNDS, type SharedBounds, type SharedOptions } from "./options.ts";
