/**
 * One request on its way through the front: what is found out about it before it goes on.
 *
 * @module
 */

import type { Principal } from "../auth/mod.ts";
import {
  ASSUMED_REVISION,
  BATCH_REVISION,
  type Classified,
  type Era,
  type EraHeaders,
} from "../era/mod.ts";
import { ProxyError, toProxyError } from "../errors.ts";
import { type ClientRequest, type Deliver, type FieldReader, NEVER_ABORTED } from "../http/mod.ts";
import { type Message, methodForLog, type ParsedBody } from "../json/mod.ts";
import type { Session, SessionTable } from "../session/mod.ts";
import type { SentTo, UpstreamCall } from "../upstream/mod.ts";
import type { Expected } from "./answer.ts";
import type { Streams } from "./streams.ts";

/** What finding out takes. */
export interface PassageOptions {
  /** The route's name. */
  readonly route: string;
  /** The sessions of all routes. */
  readonly sessions: SessionTable;
  /** How event streams reach clients. */
  readonly streams: Streams;
}

/** A request as it came, and who sent it. */
export interface Arrival {
  /** The request. */
  readonly request: ClientRequest;
  /** Who calls. */
  readonly principal: Principal;
  /** The query with its `?`, or empty. */
  readonly query: string;
  /** Bytes of its body, as far as it was read. */
  bytes: number;
  /** Answers it ahead of the promise; left out where that cannot be done. */
  readonly deliver?: Deliver | undefined;
  /** Told where it is sent; left out where nobody asks. */
  readonly sent?: SentTo | undefined;
}

/** One request on its way through the front. */
export interface Passage {
  /** As it came. */
  readonly arrival: Arrival;
  /** The header fields as they go on. */
  readonly headers: FieldReader;
  /** The session that it belongs to, if any. */
  readonly session: Session | undefined;
  /** What the client waits for. */
  readonly expected: Expected;
  /** The exact text of the id of the one request in it. */
  readonly idText: string | undefined;
  /** The exact texts of the ids of all requests in it. */
  readonly requestIds: readonly string[];
  /** Whether it holds nothing but responses to requests of the server. */
  readonly onlyResponses: boolean;
  /** Whether the answer is a stream without an end of its own. */
  readonly isSubscription: boolean;
  /** Whether the answer may open a session. */
  readonly opensSession: boolean;
  /** Lets go of the room that is kept for the session that it opens; left out where it opens none. */
  readonly release?: (() => void) | undefined;
  /** What opens it, as it went upstream, where it may be sent again. */
  readonly initialize?: string | undefined;
  /** The era of the request. */
  readonly era: Era;
  /** The one message in it. */
  readonly message: Message | undefined;
}

/** The exact text of the id of the one request in a body. */
function idOf({ batch, messages: [first] }: ParsedBody): string | undefined {
  return batch || first!.kind !== "request" ? undefined : first!.idText;
}

/**
 * The session that a POST belongs to. Modern requests have none: the id is ignored and never minted
 * (2026-07-28 streamable-http, "Earlier Streamable HTTP Revisions").
 */
export function sessionOfPost(
  options: PassageOptions,
  arrival: Arrival,
  era: Era,
  body: ParsedBody,
): Session | undefined | Promise<Session> {
  if (era === "modern") return undefined;
  const refuse = (error: unknown): never => {
    throw toProxyError(error).withId(idOf(body));
  };
  try {
    const found = findSession(options, arrival);
    return found instanceof Promise ? found.catch(refuse) : found;
  } catch (error) {
    return refuse(error);
  }
}

/** What a client waits for that has sent this. */
export function expectationOf(
  body: ParsedBody,
): Pick<Passage, "expected" | "requestIds" | "onlyResponses"> {
  if (!body.batch) {
    const { kind, idText } = body.messages[0]!;
    return {
      expected: kind === "request" ? "message" : "acceptance",
      requestIds: kind === "request" ? [idText!] : [],
      onlyResponses: kind === "response",
    };
  }
  const requestIds = body.messages.flatMap(({ kind, idText }) =>
    kind === "request" ? [idText!] : []
  );
  return {
    expected: requestIds.length > 0 ? "message" : "acceptance",
    requestIds,
    onlyResponses: body.messages.every(({ kind }) => kind === "response"),
  };
}

/**
 * A POST on its way; what it keeps room for is its caller's to release.
 *
 * @throws {ProxyError} `invalid_request` for a batch where there are none; what `reserve` throws
 */
export function postPassage(
  options: PassageOptions,
  arrival: Arrival,
  body: ParsedBody,
  classified: Classified,
  session: Session | undefined,
): Passage {
  const first = body.messages[0]!;
  const idText = idOf(body);
  const isModern = classified.era === "modern";
  try {
    if (body.batch) checkBatch(body, session, classified);
    const opensSession = !isModern && session === undefined && first.method === "initialize";
    // Named one by one: to spread them costs a call as much as all that is found out here.
    const { expected, requestIds, onlyResponses } = expectationOf(body);
    return {
      arrival,
      session,
      headers: arrival.request.headers,
      expected,
      requestIds,
      onlyResponses,
      idText,
      isSubscription: isModern && first.method === "subscriptions/listen",
      opensSession,
      release: opensSession ? options.sessions.reserve(arrival.principal.id) : undefined,
      era: classified.era,
      message: body.batch ? undefined : first,
    };
  } catch (error) {
    throw toProxyError(error).withId(idText);
  }
}

/** A GET or DELETE on its way. */
export function bodylessPassage(
  arrival: Arrival,
  expected: "stream" | "termination",
  era: Era,
  session: Session | undefined,
): Passage {
  return {
    arrival,
    headers: arrival.request.headers,
    session,
    expected,
    idText: undefined,
    requestIds: [],
    onlyResponses: false,
    isSubscription: expected === "stream",
    opensSession: false,
    era,
    message: undefined,
  };
}

/** What the upstream is told of a request beside its body; `onFailed` as there. */
export function callOf(
  options: PassageOptions,
  passage: Passage,
  onFailed: UpstreamCall["onFailed"],
): UpstreamCall {
  const { arrival, session, headers, opensSession, era } = passage;
  const { request, principal, query, sent } = arrival;
  const keeps = session !== undefined && options.streams.keeps;
  return {
    era,
    headers,
    sessionId: session?.upstreamId,
    principal: principal.id,
    query,
    // R54: in a session that can be resumed a client that goes away has not cancelled anything. Nor does
    // one that goes away from its `initialize`: the session that is made then could not be ended (R82).
    signal: keeps || opensSession ? NEVER_ABORTED : request.signal,
    method: requestedMethod(passage.message),
    affinity: session?.key,
    lastEventId: keeps ? null : undefined,
    sent,
    onFailed,
  };
}

/** The method of a message that is a request. */
export function requestedMethod(message: Message | undefined): string | undefined {
  return message?.kind === "request" ? message.method : undefined;
}

/** The session that a request names; undefined where it names none. */
export function findSession(
  options: PassageOptions,
  { request: { headers }, principal }: Arrival,
): Session | undefined | Promise<Session> {
  const id = headers.get("mcp-session-id");
  return id === null ? undefined : options.sessions.find(options.route, principal.id, id);
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

/** What decides on the era in the header fields. */
export function eraHeaders(headers: FieldReader): EraHeaders {
  return {
    protocolVersion: headers.get("mcp-protocol-version"),
    method: headers.get("mcp-method"),
    name: headers.get("mcp-name"),
  };
}

/** What a request asks for, as it may stand in a log line. */
export function describe(body: ParsedBody): string {
  return body.batch ? "batch" : methodForLog(body.messages[0]!.method) ?? "response";
}
