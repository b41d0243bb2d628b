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
import {
  ASSUMED_REVISION,
  BATCH_REVISION,
  type Classified,
  classifyBodyless,
  classifyPost,
  type Era,
  type EraHeaders,
} from "../era/mod.ts";
import { ProxyError, toProxyError } from "../errors.ts";
import {
  type ClientAnswer,
  type ClientRequest,
  detached,
  type FieldReader,
  Fields,
  NEVER_ABORTED,
} from "../http/mod.ts";
import { type JsonLimits, parseBody, type ParsedBody } from "../json/mod.ts";
import { Attachment } from "../relay/mod.ts";
import type { Session, SessionTable } from "../session/mod.ts";
import { EVENT_STREAM, streamFields } from "../sse/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { type Expected, toAnswer } from "./answer.ts";
import type { Inbound } from "./interception.ts";
import { answeredHere, type InterceptorsOptions, RequestInterceptors } from "./interceptors.ts";
import type { Exchanges, Followed } from "./exchanges.ts";
import { requireAcceptAnswer, requireAcceptStream, requireJsonBody } from "./media.ts";
import { watchNegotiation } from "./negotiation.ts";
import type { Streams } from "./streams.ts";

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
  /** How event streams reach clients. */
  readonly streams: Streams;
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

/** One request on its way through the front. */
interface Passage {
  readonly request: ClientRequest;
  /** Who calls. */
  readonly principal: Principal;
  /** The header fields as they go on. */
  readonly headers: FieldReader;
  readonly query: string;
  readonly session: Session | undefined;
  readonly expected: Expected;
  readonly idText: string | undefined;
  /** The exact texts of the ids of all requests in it. */
  readonly requestIds: readonly string[];
  /** Whether the answer is a stream without an end of its own. */
  readonly isSubscription: boolean;
  /** Whether the answer may open a session. */
  readonly opensSession: boolean;
  /** The era of the request. */
  readonly era: Era;
  /** The method of the one request in it. */
  readonly method: string | undefined;
}

/** A front for one route. */
export function streamableHttpFront(options: FrontOptions): Front {
  const methods: Readonly<Record<string, Front>> = {
    POST: (request, ...rest) => post(options, request, ...rest),
    GET: (request, ...rest) => listen(options, request, ...rest),
    DELETE: (request, ...rest) => terminate(options, request, ...rest),
  };
  return (request, ...rest) => {
    const answer = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
    if (answer === undefined) {
      throw new ProxyError("method_not_allowed", "Use POST, GET or DELETE here.", {
        headers: { allow: "GET, POST, DELETE" },
      });
    }
    return answer(request, ...rest);
  };
}

async function post(
  options: FrontOptions,
  request: ClientRequest,
  principal: Principal,
  query: string,
  facts: RequestFacts,
): Promise<ClientAnswer> {
  requireJsonBody(request.headers);
  requireAcceptAnswer(request.headers);
  const reading = request.body();
  const bytes = reading instanceof Uint8Array ? reading : await reading;
  const body = parseBody(bytes, options.limits);
  facts.rpc = describe(body);
  const classified = classifyPost(body, eraHeaders(request.headers));
  facts.era = classified.era;
  const passage = postPassage(options, request, principal, query, body, classified);
  const interceptors = interceptorsFor(options, passage);
  const inbound = await interceptors?.inbound(bytes, request.headers);
  if (inbound === undefined) return await sendPost(options, passage, bytes, interceptors);
  if (inbound.body === null) return answerHere(passage, inbound, body.batch);
  if (inbound.body === bytes) return await sendPost(options, passage, bytes, interceptors);
  const sent = parseBody(inbound.body, options.limits);
  const changed: Passage = { ...passage, headers: inbound.headers, ...expectationOf(sent) };
  const answer = await sendPost(options, changed, inbound.body, interceptors);
  const isAnsweredHere = changed.expected === "acceptance" && inbound.answers.length > 0;
  return isAnsweredHere && answer.status < 300 ? answerHere(passage, inbound, body.batch) : answer;
}

async function sendPost(
  options: FrontOptions,
  passage: Passage,
  bytes: Uint8Array,
  interceptors: RequestInterceptors | undefined,
): Promise<ClientAnswer> {
  const { upstream } = options;
  const send = passage.expected === "message" ? upstream.exchange : upstream.notify;
  return await pass(options, passage, (call) => send(call, bytes), interceptors);
}

/** The answer to messages of which none went on. */
function answerHere(passage: Passage, inbound: Inbound, batch: boolean): ClientAnswer {
  const { session } = passage;
  const named = session === undefined ? [] : ["mcp-session-id", session.id];
  if (inbound.answers.length === 0) return { status: 202, fields: new Fields(named), body: null };
  const fields = new Fields(["content-type", "application/json", ...named]);
  return { status: 200, fields, body: answeredHere(inbound, batch) };
}

function interceptorsFor(
  options: FrontOptions,
  { principal, session, era, method, idText }: Passage,
): RequestInterceptors | undefined {
  if (options.interceptors === undefined) return undefined;
  const revision = session?.revision;
  const { name } = principal;
  const subject = { principal: name, era, revision, sessionId: session?.id, method, idText };
  return new RequestInterceptors(options.interceptors, subject);
}

/** What a client waits for that has sent this. */
function expectationOf(body: ParsedBody): Pick<Passage, "expected" | "requestIds"> {
  const requestIds = body.messages.flatMap(({ kind, idText }) =>
    kind === "request" ? [idText!] : []
  );
  return { expected: requestIds.length > 0 ? "message" : "acceptance", requestIds };
}

function postPassage(
  options: FrontOptions,
  request: ClientRequest,
  principal: Principal,
  query: string,
  body: ParsedBody,
  classified: Classified,
): Passage {
  const first = body.messages[0]!;
  const idText = body.batch || first.kind !== "request" ? undefined : first.idText;
  const isModern = classified.era === "modern";
  try {
    // Modern requests have no session: the id is ignored and never minted (2026-07-28
    // streamable-http, "Earlier Streamable HTTP Revisions").
    const session = isModern ? undefined : findSession(options, request.headers);
    if (body.batch) checkBatch(body, session, classified);
    const opensSession = !isModern && session === undefined && first.method === "initialize";
    if (opensSession) options.sessions.ensureRoom();
    return {
      request,
      principal,
      query,
      session,
      headers: request.headers,
      ...expectationOf(body),
      idText,
      isSubscription: isModern && first.method === "subscriptions/listen",
      opensSession,
      era: classified.era,
      method: body.batch ? undefined : first.method,
    };
  } catch (error) {
    throw toProxyError(error).withId(idText);
  }
}

async function listen(
  options: FrontOptions,
  request: ClientRequest,
  principal: Principal,
  query: string,
  facts: RequestFacts,
): Promise<ClientAnswer> {
  const { era } = classifyBodyless("GET", eraHeaders(request.headers));
  facts.era = era;
  requireAcceptStream(request.headers);
  const passage = bodylessPassage(options, request, principal, query, "stream", era);
  const { session } = passage;
  const known = session && options.streams.resume(session, request.headers);
  if (session !== undefined && known !== undefined) {
    return comeBack(options, session, known);
  }
  const interceptors = interceptorsFor(options, passage);
  return await pass(options, passage, (call) => options.upstream.listen(call), interceptors);
}

async function terminate(
  options: FrontOptions,
  request: ClientRequest,
  principal: Principal,
  query: string,
  facts: RequestFacts,
): Promise<ClientAnswer> {
  const { era } = classifyBodyless("DELETE", eraHeaders(request.headers));
  facts.era = era;
  const passage = bodylessPassage(options, request, principal, query, "termination", era);
  const answer = await pass(options, passage, (call) => options.upstream.terminate(call));
  if (answer.status < 300 && passage.session !== undefined) {
    options.sessions.close(passage.session);
  }
  return answer;
}

function bodylessPassage(
  options: FrontOptions,
  request: ClientRequest,
  principal: Principal,
  query: string,
  expected: "stream" | "termination",
  era: Era,
): Passage {
  return {
    request,
    principal,
    query,
    headers: request.headers,
    session: findSession(options, request.headers),
    expected,
    idText: undefined,
    requestIds: [],
    isSubscription: expected === "stream",
    opensSession: false,
    era,
    method: undefined,
  };
}

/** The answer to a client that comes back to a stream which the proxy holds. */
function comeBack(options: FrontOptions, session: Session, attachment: Attachment): ClientAnswer {
  attachment.whenOver(options.sessions.use(session));
  options.exchanges.follow(attachment, true);
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
  const { request, session } = passage;
  const release = session === undefined ? () => {} : options.sessions.use(session);
  const keeps = session !== undefined && options.streams.keeps;
  // R54: in a session that can be resumed a client that goes away has not cancelled anything.
  const signal = keeps ? NEVER_ABORTED : request.signal;
  const call: UpstreamCall = {
    headers: passage.headers,
    sessionId: session?.upstreamId,
    principal: passage.principal.id,
    query: passage.query,
    signal,
    ...(keeps ? { lastEventId: null } : {}),
  };
  try {
    const answer = await send(call);
    const known = settleSession(options, passage, answer);
    let followed: Followed = answer.body;
    const found = toAnswer(answer, {
      expected: passage.expected,
      sessionId: known?.id,
      idText: passage.idText,
      signal,
      interceptors: interceptors && {
        maxBytes: interceptors.maxBytes,
        json: (body) => interceptors.json(body, call),
      },
      stream: (body) => {
        const passing = options.streams.begin(body, {
          ...passage,
          session: known,
          call,
          inspect: interceptors?.inspect(call),
          first: interceptors?.first(),
        });
        if (passing instanceof Attachment) followed = passing;
        return passing;
      },
    });
    followed.whenOver(release);
    options.exchanges.follow(followed, passage.isSubscription);
    return found instanceof Promise ? await found : found;
  } catch (error) {
    release();
    throw toProxyError(error).withId(passage.idText);
  }
}

/** What an answer means for its session: opened, ended by the upstream, or as it was. */
function settleSession(
  options: FrontOptions,
  passage: Passage,
  answer: UpstreamAnswer,
): Session | undefined {
  const { session } = passage;
  if (session !== undefined) {
    if (answer.status === 405 && passage.expected === "stream") {
      options.streams.listenRefused(session);
    }
    if (answer.status !== 404) return session;
    options.sessions.close(session);
    return undefined;
  }
  const opens = passage.opensSession && answer.status === 200 && answer.sessionId !== undefined;
  if (!opens) return undefined;
  const opened = options.sessions.open(options.route, detached(answer.sessionId!));
  watchNegotiation(answer, (revision) => opened.revision = revision);
  return opened;
}

function findSession(options: FrontOptions, headers: FieldReader): Session | undefined {
  const id = headers.get("mcp-session-id");
  return id === null ? undefined : options.sessions.find(options.route, id);
}

/** R29: batches only where 2025-03-26 was negotiated, and never with `initialize`. */
function checkBatch(
  body: ParsedBody,
  session: Session | undefined,
  classified: Classified,
): void {
  const revision = session?.revision ?? classified.revision ?? ASSUMED_REVISION;
  if (revision !== BATCH_REVISION) {
    throw new ProxyError(
      "invalid_request",
      `Revision ${revision} has no batches; send one JSON-RPC message in each POST.`,
    );
  }
  if (body.messages.some((message) => message.method === "initialize")) {
    throw new ProxyError("invalid_request", "initialize cannot be part of a batch.");
  }
}

function eraHeaders(headers: FieldReader): EraHeaders {
  return {
    protocolVersion: headers.get("mcp-protocol-version"),
    method: headers.get("mcp-method"),
    name: headers.get("mcp-name"),
  };
}

/** A method as it may stand in a log line: its own characters and a sane length. */
function describe(body: ParsedBody): string {
  if (body.batch) return "batch";
  const { method } = body.messages[0]!;
  if (method === undefined) return "response";
  return /^[\w/.$-]{1,64}$/.test(method) ? method : "(odd method name)";
}
