/**
 * A POST on its way: its body, its session, its interceptors.
 *
 * @module
 */

import { classifyPost, type EraHeaders } from "../era/mod.ts";
import { type ClientAnswer, type FieldReader, Fields, ReadFields } from "../http/mod.ts";
import { parseBody, type ParsedBody } from "../json/mod.ts";
import type { Session } from "../session/mod.ts";
import type { Upstream } from "../upstream/mod.ts";
import type { FrontOptions, RequestFacts } from "./front.ts";
import type { Inbound } from "./interception.ts";
import { answeredHere, type RequestInterceptors } from "./interceptors.ts";
import { keptInitialize } from "./kept_initialize.ts";
import { requireAcceptAnswer, requireJsonBody } from "./media.ts";
import { interceptorsFor, pass } from "./pass.ts";
import {
  type Arrival,
  describe,
  eraHeaders,
  expectationOf,
  type Passage,
  postPassage,
  sessionOfPost,
} from "./passage.ts";
import { countAnswer, countRequest } from "./traffic.ts";

const CANCELLED = "notifications/cancelled";

export function post(
  options: FrontOptions,
  arrival: Arrival,
  facts: RequestFacts,
): Promise<ClientAnswer> {
  const { request } = arrival;
  const headers = checkedHeaders(request.headers);
  const reading = request.body();
  return reading instanceof Uint8Array
    ? received(options, arrival, facts, headers, reading)
    : reading.then((bytes) => received(options, arrival, facts, headers, bytes));
}

/** Derives `soundHeaders`, once for all POSTs of a connection with the same fields. */
const SOUND = {};

function checkedHeaders(headers: FieldReader): EraHeaders {
  return headers instanceof ReadFields
    ? headers.derived(SOUND, soundHeaders)
    : soundHeaders(headers);
}

/**
 * What decides on the era, of fields that a POST may have.
 *
 * @throws {ProxyError} see `requireJsonBody` and `requireAcceptAnswer`
 */
function soundHeaders(headers: FieldReader): EraHeaders {
  requireJsonBody(headers);
  requireAcceptAnswer(headers);
  return eraHeaders(headers);
}

/** A POST whose body is there. */
function received(
  options: FrontOptions,
  arrival: Arrival,
  facts: RequestFacts,
  headers: EraHeaders,
  bytes: Uint8Array,
): Promise<ClientAnswer> {
  arrival.bytes = bytes.length;
  const body = parseBody(bytes, options.limits);
  facts.rpc = describe(body);
  const classified = classifyPost(body, headers);
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
    ? sendPost(options, passage, bytes)
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
    return await sendPost(options, passage, bytes, interceptors);
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
  const answer = await sendPost(options, changed, inbound.body, interceptors);
  const isAnsweredHere = changed.expected === "acceptance" && inbound.answers.length > 0;
  return isAnsweredHere && answer.status < 300 ? answerHere(passage, inbound, body.batch) : answer;
}

function sendPost(
  options: FrontOptions,
  passage: Passage,
  bytes: Uint8Array,
  interceptors?: RequestInterceptors,
): Promise<ClientAnswer> {
  const { session, expected } = passage;
  const { exchange, notify } = options.upstream;
  const send = cancelling(options, passage, expected === "message" ? exchange : notify);
  if (passage.opensSession) {
    const opening: Passage = { ...passage, initialize: keptInitialize(bytes) };
    return pass(options, opening, (call, onWhole) => send(call, bytes, onWhole), interceptors);
  }
  if (session?.names?.toUpstream.isIn(bytes) !== true) {
    return pass(options, passage, (call, onWhole) => send(call, bytes, onWhole), interceptors);
  }
  // The upstream knows the session by another id (R77), and by yet another after a recovery.
  const renamed = () => session?.names?.toUpstream.apply(bytes) ?? bytes;
  return pass(options, passage, (call, onWhole) => send(call, renamed(), onWhole), interceptors);
}

/**
 * The same for a message that cancels a request: from when it goes up, and unless it is refused, that request has
 * no error for want of an answer (2025-06-18 basic/utilities/cancellation, "Behavior Requirements").
 */
function cancelling(
  { streams }: FrontOptions,
  { session, message }: Passage,
  send: Upstream["exchange"],
): Upstream["exchange"] {
  if (session === undefined || message?.method !== CANCELLED) return send;
  return async (...given) => {
    const undo = streams.cancelled(session, message.params?.["requestId"]);
    try {
      const answer = await send(...given);
      if (answer.status >= 400) undo();
      return answer;
    } catch (error) {
      undo();
      throw error;
    }
  };
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
