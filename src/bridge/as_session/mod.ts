/**
 * Clients of the session era on a server of 2026-07-28.
 *
 * `as_session.ts` finds the session of a call; `session.ts` is one, `session_client.ts` whose. `posts.ts` answers
 * its requests, which are in `under_way.ts`: `own_methods.ts` are those that need no server, `forwarding.ts` sends
 * the others on, `questions.ts` puts what the server wants to know to the client. `announcements.ts` is what the
 * server says by itself: `listening.ts` keeps the session's subscription, `subscription.ts` is one and `overlap.ts`
 * joins two, `get_streams.ts` has the streams of the client.
 * `modern_call.ts` is one modern request, `discovery.ts` and `tools.ts` keep what the server says of itself.
 * Pure: `requests.ts` and `results.ts` translate, `capabilities.ts` and `edits.ts` help.
 *
 * @module
 */

export { asSession, BRIDGED_SESSION } from "./as_session.ts";
export type {
  AsSessionLimits,
  AsSessionOptions,
  SessionBridge,
  SessionBridgeStats,
} from "./options.ts";
