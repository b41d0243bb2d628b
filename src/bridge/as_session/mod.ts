/**
 * Clients of the session era on a server of 2026-07-28.
 *
 * `as_session.ts` finds the session of a call; `session.ts` is one, `own_methods.ts` what it answers itself.
 * `forwarding.ts` sends a request on, `questions.ts` puts what the server wants to know to the client,
 * `listening.ts` keeps the session's subscription, `subscription.ts` is one and `overlap.ts` joins two.
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
