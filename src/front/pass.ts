/**
 * A request to the upstream and its answer back: lost sessions, sessions that it opens or ends, and who follows
 * the answer to its end.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../errors.ts";
import { type ClientAnswer, detached } from "../http/mod.ts";
import { Attachment, PassingStream } from "../relay/mod.ts";
import { notFound, type Session } from "../session/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamBody, UpstreamCall } from "../upstream/mod.ts";
import { toAnswer } from "./answer.ts";
import type { Followed } from "./exchanges.ts";
import type { FrontOptions } from "./front.ts";
import { RequestInterceptors } from "./interceptors.ts";
import { callOf, type Passage } from "./passage.ts";
import { forNobody, Recovery } from "./recovery.ts";
import { letGo } from "./renewal.ts";
import { learn, learnRevision } from "./session_facts.ts";
import { countAnswer, countOpening } from "./traffic.ts";

/** Sends a request on and turns what comes back into the client's answer. */
export async function pass(
  options: FrontOptions,
  passage: Passage,
  send: (call: UpstreamCall) => Promise<UpstreamAnswer>,
  interceptors?: RequestInterceptors,
): Promise<ClientAnswer> {
  const { session } = passage;
  const release = session === undefined
    ? nothing
    : options.sessions.use(session, session.lastUsedMs);
  const call = callOf(options, passage);
  let answer: UpstreamAnswer | undefined;
  try {
    let generation = session?.record.generation;
    answer = await send(call);
    if (session !== undefined && Recovery.isSuspect(answer)) {
      answer = await recovered(options, passage, generation!, answer, call, send);
      ({ generation } = session.record);
    }
    const settling = settleSession(options, passage, call, answer);
    const known = settling instanceof Promise ? await settling : settling;
    let followed: Followed = answer.body;
    const found = toAnswer(answer, {
      expected: passage.expected,
      sessionId: known?.id,
      // Of a session that has ended meanwhile too: its client may not learn the upstream's id (R77).
      names: (known ?? session)?.names,
      idText: passage.idText,
      signal: call.signal,
      interceptors: interceptors && {
        maxBytes: interceptors.maxBytes,
        json: (body) => interceptors.json(body, call),
      },
      stream: (body) => {
        if (session !== undefined && known === undefined) throw endedMeanwhile();
        const passing = options.streams.begin(body, {
          ...passage,
          session: known,
          generation,
          call,
          inspect: interceptors?.inspect(call),
          first: interceptors?.first(),
        });
        if (passing instanceof Attachment) followed = passing;
        if (passing instanceof PassingStream) followed = endingWith(passing, body);
        return passing;
      },
    });
    if (isWhole(found)) {
      answer.body.discard();
      release();
    } else {
      follow(options, passage, followed, release);
    }
    const answered = found instanceof Promise ? await found : found;
    if (known !== undefined) countAnswer(known, answered, answer.body);
    return answered;
  } catch (error) {
    release();
    // Nobody will read it.
    answer?.body.discard();
    throw toProxyError(error).withId(passage.idText);
  }
}

const nothing = () => {};

/** Whether nothing more will come of the upstream. */
function isWhole(answer: ClientAnswer | Promise<ClientAnswer>): boolean {
  return !(answer instanceof Promise) &&
    (answer.body === null || answer.body instanceof Uint8Array);
}

/** An answer of which more will come: what it works with stays open, and `release` is called at its end. */
function follow(
  options: FrontOptions,
  { isSubscription, arrival }: Passage,
  followed: Followed,
  release: () => void,
): void {
  followed.whenOver(release);
  // A stream of a session says itself how long it works with what.
  if (!(followed instanceof Attachment) && options.use !== undefined) {
    followed.whenOver(options.use.hold());
  }
  options.exchanges.follow(followed, isSubscription, servesStill(options, arrival.principal.id));
}

/** Whether a reload has left the route and the principal where they are. */
export function servesStill({ use }: FrontOptions, principal: string): () => boolean {
  return () => use?.serves(principal) ?? true;
}

/** Over when the upstream's part is: what the stream has still to say is at most one event. */
function endingWith(stream: PassingStream, body: UpstreamBody): Followed {
  return {
    end: () => stream.end(body),
    whenOver: (callback) => body.whenOver(callback),
  };
}

/** Streams belong to sessions, whose end ends them. */
function endedMeanwhile(): ProxyError {
  return new ProxyError(
    "session_not_found",
    "The session has ended before its stream began; start a new one with initialize.",
  );
}

/** What follows where the upstream may have lost the session: the same request in one made anew. */
function recovered(
  { recovery }: FrontOptions,
  { session, expected, onlyResponses }: Passage,
  generation: number,
  answer: UpstreamAnswer,
  call: UpstreamCall,
  send: (call: UpstreamCall) => Promise<UpstreamAnswer>,
): Promise<UpstreamAnswer> {
  if (expected === "termination") {
    return recovery.ended(session!, generation, answer, call, send);
  }
  return recovery.again(session!, generation, answer, call, onlyResponses ? forNobody : send);
}

/** What an answer means for its session: opened, ended by the upstream, or as it was. */
function settleSession(
  options: FrontOptions,
  passage: Passage,
  call: UpstreamCall,
  answer: UpstreamAnswer,
): Session | undefined | Promise<Session> {
  const { arrival, session, message } = passage;
  const { sessions, route, upstream } = options;
  if (session !== undefined) {
    if (message?.method === "initialize") letGoOfSecond(upstream, session, call, answer);
    if (answer.status === 405 && passage.expected === "stream") {
      options.streams.listenRefused(session);
    }
    if (answer.status === 404) sessions.close(session);
    if (session.ended) return undefined;
    learn(sessions, session, message, answer);
    return session;
  }
  const opens = passage.opensSession && answer.status === 200 && answer.sessionId !== undefined;
  if (!opens) return undefined;
  const opening = sessions.open({
    route,
    principal: arrival.principal.id,
    upstreamId: detached(answer.sessionId!),
    initialize: passage.initialize,
  }, passage.release);
  const opened = (session: Session) => {
    if (!servesStill(options, session.principal)()) {
      // Nobody would end it: its route or the key of its principal has gone while it was opened (R82, R91).
      const { upstreamId } = session;
      sessions.close(session);
      letGo(upstream, { upstreamId, call: { ...call, sessionId: upstreamId } });
      throw notFound();
    }
    if (arrival.request.signal.aborted) {
      sessions.abandon(session);
      throw new ProxyError("client_closed", "The client went away before its session was there.");
    }
    countOpening(session, arrival.bytes);
    learnRevision(sessions, session, answer);
    return session;
  };
  return opening instanceof Promise ? opening.then(opened) : opened(opening);
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
  letGo(upstream, { upstreamId, call: { ...call, sessionId: upstreamId } });
}

/** The interceptors that look at a request, if there are any. */
export function interceptorsFor(
  options: FrontOptions,
  { arrival, session, era, message, idText }: Passage,
): RequestInterceptors | undefined {
  if (options.interceptors === undefined) return undefined;
  const subject = {
    principal: arrival.principal.name,
    era,
    revision: session?.revision,
    sessionId: session?.id,
    method: message?.method,
    idText,
  };
  return new RequestInterceptors(options.interceptors, subject);
}
