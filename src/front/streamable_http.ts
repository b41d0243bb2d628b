/**
 * The front for Streamable HTTP, revisions 2025-03-26 to 2026-07-28.
 *
 * Sources: `basic/transports` of 2025-03-26, 2025-06-18 and 2025-11-25;
 * `basic/transports/streamable-http` of 2026-07-28.
 *
 * @module
 */

import { classifyBodyless } from "../era/mod.ts";
import { ProxyError } from "../errors.ts";
import { type ClientAnswer, Fields } from "../http/mod.ts";
import type { Attachment } from "../relay/mod.ts";
import type { Session } from "../session/mod.ts";
import { EVENT_STREAM, streamFields } from "../sse/mod.ts";
import { failedAnswer } from "./failures.ts";
import type { Front, FrontOptions, RequestFacts } from "./front.ts";
import { requireAcceptStream } from "./media.ts";
import { interceptorsFor, pass } from "./pass.ts";
import { type Arrival, bodylessPassage, callOf, eraHeaders, findSession } from "./passage.ts";
import { post } from "./post.ts";
import { servesStill } from "./use.ts";

/** A front for one route. */
export function streamableHttpFront(options: FrontOptions): Front {
  const methods: ReadonlyMap<string, typeof post> = new Map([
    ["POST", post],
    ["GET", listen],
    ["DELETE", terminate],
  ]);
  return (request, principal, query, facts, deliver) => {
    const answer = methods.get(request.method);
    if (answer === undefined) {
      throw new ProxyError("method_not_allowed", "Use POST, GET or DELETE here.", {
        headers: { allow: "GET, POST, DELETE" },
      });
    }
    const { sent } = facts;
    return answer(options, { request, principal, query, bytes: 0, deliver, sent }, facts);
  };
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
    const onFailed = failedAnswer(options, passage);
    const call = callOf(options, passage, onFailed);
    const inspect = interceptors?.inspect(call);
    const context = { call, inspect, onFailed };
    const known = await options.streams.resume(session, request.headers, context);
    if (known !== undefined) return comeBack(options, arrival, session, known);
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
function comeBack(
  options: FrontOptions,
  { principal }: Arrival,
  session: Session,
  attachment: Attachment,
): ClientAnswer {
  attachment.whenOver(options.sessions.use(session));
  options.exchanges.follow(attachment, true, servesStill(options.use, principal));
  const fields = new Fields(["content-type", EVENT_STREAM, "mcp-session-id", session.id]);
  return { status: 200, fields: streamFields(fields), body: attachment };
}
