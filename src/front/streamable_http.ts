/**
 * The front for Streamable HTTP, revisions 2025-03-26 to 2026-07-28.
 *
 * Sources: `basic/transports` of 2025-03-26, 2025-06-18 and 2025-11-25;
 * `basic/transports/streamable-http` of 2026-07-28.
 *
 * @module
 */

import type { Principal } from "../auth/mod.ts";
import type { LimitsConfig } from "../config/mod.ts";
import { classifyBodyless, classifyPost } from "../era/mod.ts";
import { ProxyError, toProxyError } from "../errors.ts";
import { type ClientAnswer, type ClientRequest, detached, Fields } from "../http/mod.ts";
import { type JsonLimits, parseBody, type ParsedBody } from "../json/mod.ts";
import { Attachment, PassingStream } from "../relay/mod.ts";
import { notFound, type Session, type SessionTable } from "../session/mod.ts";
import { EVENT_STREAM, streamFields } from "../sse/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamBody, UpstreamCall } from "../upstream/mod.ts";
import { toAnswer } from "./answer.ts";
import type { Inbound } from "./interception.ts";
import { answeredHere, type InterceptorsOptions, RequestInterceptors } from "./interceptors.ts";
import type { Exchanges, Followed } from "./exchanges.ts";
import {
  type Arrival,
  bodylessPassage,
  callOf,
  describe,
  eraHeaders,
  expectationOf,
  findSession,
  type Passage,
  postPassage,
  sessionOfPost,
} from "./passage.ts";
import { requireAcceptAnswer, requireAcceptStream, requireJsonBody } from "./media.ts";
import { forNobody, Recovery } from "./recovery.ts";
import { letGo } from "./renewal.ts";
import { learn, learnRevision } from "./session_facts.ts";
import type { Streams } from "./streams.ts";
import { countAnswer, countOpening, countRequest } from "./traffic.ts";
import type { FrontUse } from "./use.ts";

/** An `initialize` message up to so many bytes is kept, so that a lost session can be made anew. */
const MAX_KEPT_INITIALIZE_BYTES = 65_536;

/** What the front of one route works with. */
export interface FrontOptions {
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
  /** The era, once it is decided. */
  era?: string;
  /** The JSON-RPC method, or `batch` or `response`. */
  rpc?: string;
}

/** Answers the requests of one route. Throws and rejects with nothing but a `ProxyError`. */
export type Front = (
  request: ClientRequest,
  principal: Principal,
  query: string,
  facts: RequestFacts,
) => Promise<ClientAnswer>;

/** A front for one route. */
export function streamableHttpFront(options: FrontOptions): Front {
  const methods: Readonly<Record<string, typeof post>> = {
    POST: post,
    GET: listen,
    DELETE: terminate,
  };
  return (request, principal, query, facts) => {
    const answer = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
    if (answer === undefined) {
      throw new ProxyError("method_not_allowed", "Use POST, GET or DELETE here.", {
        headers: { allow: "GET, POST, DELETE" },
      });
    }
    return answer(options, { request, principal, query, bytes: 0 }, facts);
  };
}

function post(
  options: FrontOptions,
  arrival: Arrival,
  facts: RequestFacts,
): Promise<ClientAnswer> {
  const { request } = arrival;
  requireJsonBody(request.headers);
  requireAcceptAnswer(request.headers);
  const reading = request.body();
  return reading instanceof Uint8Array
    ? received(options, arrival, facts, reading)
    : reading.then((bytes) => received(options, arrival, facts, bytes));
}

/** A POST whose body is there. */
function received(
  options: FrontOptions,
  arrival: Arrival,
  facts: RequestFacts,
  bytes: Uint8Array,
): Promise<ClientAnswer> {
  arrival.bytes = bytes.length;
  const body = parseBody(bytes, options.limits);
  facts.rpc = describe(body);
  const classified = classifyPost(body, eraHeaders(arrival.request.headers));
  facts.era = classified.era;
  const goOn = (session: Session | undefined) => {
    if (session !== undefined) countRequest(session, bytes.length);
    const passage = postPassage(options, arrival, body, classified, session);
    return passage.release === undefined
      ? passOn(options, passage, body, bytes)
      : passOnReleasing(options, passage, body, bytes);
  };
  const finding = sessionOfPost(options, arrival, classified.era, body);
  return finding instanceof Promise ? finding.then(goOn) : goOn(finding);
}

/** The same for one that keeps room for the session that it opens. */
async function passOnReleasing(...given: Parameters<typeof passOn>): Promise<ClientAnswer> {
  try {
    return await passOn(...given);
  } finally {
    given[1].release?.();
  }
}

/** Sends a POST on, through the interceptors where there are any. */
function passOn(
  options: FrontOptions,
  passage: Passage,
  body: ParsedBody,
  bytes: Uint8Array,
): Promise<ClientAnswer> {
  const interceptors = interceptorsFor(options, passage);
  return interceptors === undefined
    ? sendPost(options, passage, body, bytes)
    : intercepted(options, passage, body, bytes, interceptors);
}

async function intercepted(
  options: FrontOptions,
  passage: Passage,
  body: ParsedBody,
  bytes: Uint8Array,
  interceptors: RequestInterceptors,
): Promise<ClientAnswer> {
  const inbound = await interceptors.inbound(bytes, passage.headers);
  if (inbound === undefined || inbound.body === bytes) {
    return await sendPost(options, passage, body, bytes, interceptors);
  }
  if (inbound.body === null) return answerHere(passage, inbound, body.batch);
  const sent = parseBody(inbound.body, options.limits);
  const changed: Passage = {
    ...passage,
    headers: inbound.headers,
    ...expectationOf(sent),
    // What is learned of a session is what the upstream was told.
    message: sent.batch ? undefined : sent.messages[0],
  };
  const answer = await sendPost(options, changed, sent, inbound.body, interceptors);
  const isAnsweredHere = changed.expected === "acceptance" && inbound.answers.length > 0;
  return isAnsweredHere && answer.status < 300 ? answerHere(passage, inbound, body.batch) : answer;
}

function sendPost(
  options: FrontOptions,
  passage: Passage,
  body: ParsedBody,
  bytes: Uint8Array,
  interceptors?: RequestInterceptors,
): Promise<ClientAnswer> {
  const { session, expected } = passage;
  const { exchange, notify } = options.upstream;
  const send = expected === "message" ? exchange : notify;
  if (passage.opensSession) {
    const opening: Passage = { ...passage, initialize: keptInitialize(bytes) };
    return pass(options, opening, (call) => send(call, bytes), interceptors);
  }
  if (session?.names === undefined || !body.text.includes(session.id)) {
    return pass(options, passage, (call) => send(call, bytes), interceptors);
  }
  // The upstream knows the session by another id (R77), and by yet another after a recovery.
  const renamed = () => session.names?.toUpstream.apply(bytes) ?? bytes;
  return pass(options, passage, (call) => send(call, renamed()), interceptors);
}

/** An `initialize` as it went upstream, to be sent again; undefined for one too large to keep. */
function keptInitialize(bytes: Uint8Array): string | undefined {
  return bytes.length > MAX_KEPT_INITIALIZE_BYTES ? undefined : new TextDecoder().decode(bytes);
}

/** The answer to messages of which none went on. */
function answerHere(passage: Passage, inbound: Inbound, batch: boolean): ClientAnswer {
  const { session } = passage;
  const named = session === undefined ? [] : ["mcp-session-id", session.id];
  if (inbound.answers.length === 0) return { status: 202, fields: new Fields(named), body: null };
  const fields = new Fields(["content-type", "application/json", ...named]);
  const answer: ClientAnswer = { status: 200, fields, body: answeredHere(inbound, batch) };
  if (session !== undefined) countAnswer(session, answer);
  return answer;
}

function interceptorsFor(
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

async function listen(
  options: FrontOptions,
  arrival: Arrival,
  facts: RequestFacts,
): Promise<ClientAnswer> {
  const { request } = arrival;
  const { era } = classifyBodyless("GET", eraHeaders(request.headers));
  facts.era = era;
  requireAcceptStream(request.headers);
  const session = await findSession(options, arrival);
  const passage = bodylessPassage(arrival, "stream", era, session);
  const interceptors = interceptorsFor(options, passage);
  if (session !== undefined) {
    const call = callOf(options, passage);
    const context = { call, inspect: interceptors?.inspect(call) };
    const known = await options.streams.resume(session, request.headers, context);
    if (known !== undefined) return comeBack(options, session, known);
  }
  return await pass(options, passage, (call) => options.upstream.listen(call), interceptors);
}

async function terminate(
  options: FrontOptions,
  arrival: Arrival,
  facts: RequestFacts,
): Promise<ClientAnswer> {
  const { era } = classifyBodyless("DELETE", eraHeaders(arrival.request.headers));
  facts.era = era;
  const session = await findSession(options, arrival);
  const passage = bodylessPassage(arrival, "termination", era, session);
  if (session === undefined) {
    throw new ProxyError("bad_request", "DELETE ends a session, and MCP-Session-Id names none.");
  }
  const { sessions, upstream } = options;
  const state = session.record.state === "initialising" ? "initialising" : "open";
  await sessions.change(session, (record) => ({ ...record, state: "closing" }));
  let isOver = false;
  try {
    const answer = await pass(options, passage, (call) => upstream.terminate(call));
    isOver = answer.status < 300;
    return answer;
  } finally {
    // A server may refuse to end a session (405), or be out of reach; it goes on then.
    if (isOver) sessions.close(session);
    else sessions.note(session, (record) => ({ ...record, state }));
  }
}

/** The answer to a client that comes back to a stream which the proxy holds. */
function comeBack(options: FrontOptions, session: Session, attachment: Attachment): ClientAnswer {
  attachment.whenOver(options.sessions.use(session));
  options.exchanges.follow(attachment, true, servesStill(options, session.principal));
  const fields = new Fields(["content-type", EVENT_STREAM, "mcp-session-id", session.id]);
  return { status: 200, fields: streamFields(fields), body: attachment };
}

/** Sends a request on and turns what comes back into the client's answer. */
async function pass(
  options: FrontOptions,
  passage: Passage,
  send: (call: UpstreamCall) => Promise<UpstreamAnswer>,
  interceptors?: RequestInterceptors,
): Promise<ClientAnswer> {
  const { session } = passage;
  const release = session === undefined ? () => {} : options.sessions.use(session);
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
function servesStill({ use }: FrontOptions, principal: string): () => boolean {
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
