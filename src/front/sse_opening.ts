/**
 * The upstream session that the `initialize` of a client of HTTP+SSE opens.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { detached } from "../http/mod.ts";
import { MAX_UPSTREAM_ID_BYTES } from "../session/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { keptInitialize } from "./kept_initialize.ts";
import { letGo } from "./renewal.ts";
import { learnInitialized } from "./session_facts.ts";
import type { SseSession } from "./sse_session.ts";

/**
 * Keeps the session that an answer names; where there is none, another `initialize` may open it.
 *
 * @param call what the `initialize` went up with
 * @param bytes the `initialize`
 * @throws {ProxyError} `upstream_protocol` for an id that cannot be used; `client_closed` where the client has
 * gone, and then the session is ended
 */
export async function opened(
  client: SseSession,
  answer: UpstreamAnswer,
  call: UpstreamCall,
  bytes: Uint8Array,
): Promise<void> {
  const { route: { sessions, upstream }, session } = client;
  if (answer.status === 200) learnInitialized(sessions, session, answer);
  // A server without sessions may be asked again; so may one that has refused.
  if (answer.status !== 200 || answer.sessionId === undefined) return client.notOpened();
  const upstreamId = detached(answer.sessionId);
  if (new TextEncoder().encode(upstreamId).length > MAX_UPSTREAM_ID_BYTES) {
    throw new ProxyError(
      "upstream_protocol",
      "The upstream gave a session id that cannot be used.",
    );
  }
  const initialize = keptInitialize(bytes);
  const isKept = await sessions.change(session, (record) => ({
    ...record,
    upstreamId,
    ...(initialize !== undefined && { initialize }),
  }));
  if (isKept) return;
  answer.body.discard();
  letGo(upstream, { call: { ...call, sessionId: upstreamId } });
  throw new ProxyError("client_closed", "The client has gone.");
}
