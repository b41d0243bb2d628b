/**
 * What an answer means for a session: opened by it, ended by the upstream, or as it was.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { detached } from "../http/mod.ts";
import { notFound, type Session } from "../session/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import type { FrontOptions } from "./front.ts";
import type { Passage } from "./passage.ts";
import { letGo } from "./renewal.ts";
import { learn, learnInitialized } from "./session_facts.ts";
import { countOpening } from "./traffic.ts";
import { servesStill } from "./use.ts";

/** The session that a request came in; undefined where it came in none, or that has ended. */
export function settledSession(
  options: FrontOptions,
  { session, message, expected }: Passage,
  call: UpstreamCall,
  answer: UpstreamAnswer,
): Session | undefined {
  if (session === undefined) return undefined;
  const { sessions, upstream } = options;
  if (message?.method === "initialize") letGoOfSecond(upstream, session, call, answer);
  if (answer.status === 405 && expected === "stream") options.streams.listenRefused(session);
  // Any other one answers its request: what else says 404 of a session was seen to before (R64).
  if (answer.status === 404 && expected === "termination") sessions.close(session);
  if (session.ended) return undefined;
  learn(sessions, session, message, answer);
  return session;
}

/**
 * The session that an answer opens; undefined for none.
 *
 * @throws {ProxyError} `session_not_found` where nobody is served in it any more, `client_closed` where its client
 * has gone; what opening one throws
 */
export async function openedSession(
  options: FrontOptions,
  { arrival, initialize, release }: Passage,
  call: UpstreamCall,
  answer: UpstreamAnswer,
): Promise<Session | undefined> {
  const { sessions, route, upstream } = options;
  if (answer.status !== 200 || answer.sessionId === undefined) return undefined;
  const upstreamId = detached(answer.sessionId);
  const principal = arrival.principal.id;
  const session = await sessions.open({ route, principal, upstreamId, initialize }, release);
  if (!servesStill(options.use, { id: principal })()) {
    // Nobody would end it: its route or the key of its principal has gone while it was opened (R82, R91).
    sessions.close(session);
    letGo(upstream, { call: { ...call, sessionId: upstreamId } });
    throw notFound();
  }
  if (arrival.request.signal.aborted) {
    sessions.abandon(session);
    throw new ProxyError("client_closed", "The client went away before its session was there.");
  }
  countOpening(session, arrival.bytes);
  learnInitialized(sessions, session, answer);
  return session;
}

/**
 * Ends the upstream session that an `initialize` within a session has opened: nobody could reach it, and no
 * cap counts it (R82, R85).
 */
function letGoOfSecond(
  upstream: Upstream,
  session: Session,
  call: UpstreamCall,
  { sessionId }: UpstreamAnswer,
): void {
  if (sessionId === undefined || sessionId === session.upstreamId) return;
  if (sessionId === call.sessionId) return;
  const upstreamId = detached(sessionId);
  letGo(upstream, { call: { ...call, sessionId: upstreamId } });
}
