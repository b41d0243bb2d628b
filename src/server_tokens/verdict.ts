/**
 * Whether a refusal proves that its request has not run, so that it may go out again (R64).
 *
 * A server looks at the token before it looks at the request, and says so with a challenge (RFC 6750 section 3). But a
 * 401 may come from behind it too: of a third party that a tool has asked, once the tool has done half of its work.
 * Such a one mostly has no challenge for a bearer token, or is the answer to the request by its id; the body is looked
 * into as it is for sessions that are lost (`upstream/lost_session.ts`), and nobody else reads that of a refusal.
 *
 * @module
 */

import { EVENT_STREAM, JSON_TYPE, mediaTypeOf } from "../sse/mod.ts";
import { type HttpAnswer, type HttpRequest, isSafeRequest } from "../upstream/mod.ts";
import type { Refusal } from "./refusal.ts";

/** A body of a refusal that is looked into has at most so many bytes. */
export const MAX_REFUSAL_BYTES = 65_536;

/**
 * What a refusal says of its request.
 *
 * - `unrun`: it has not run, or may run twice.
 * - `doubtful`: the token may have been refused, and the request may have run.
 * - `answered`: it is the answer to the request, of which nothing says that it is about the token.
 */
export type Verdict = "unrun" | "doubtful" | "answered";

/**
 * Judges a refusal. Its body may have been read then.
 *
 * @throws {ProxyError} where the body breaks off
 */
export async function verdictOn(
  { method, body: sent }: HttpRequest,
  { fields, body }: HttpAnswer,
  { wanted }: Refusal,
): Promise<Verdict> {
  if (method !== "POST" || sent === null) return "unrun";
  const messages = messagesIn(sent);
  if (messages.length === 1 && isSafeRequest(methodOf(messages[0]))) return "unrun";
  const challenged = wanted !== undefined;
  const type = mediaTypeOf(fields.get("content-type") ?? null);
  // Nobody refuses with a stream.
  if (type === EVENT_STREAM) return "doubtful";
  if (type !== JSON_TYPE) return challenged ? "unrun" : "doubtful";
  const bytes = await body.bytesWithin(MAX_REFUSAL_BYTES);
  // Nobody says so much of a token.
  if (bytes === null) return "doubtful";
  const ids = new Set<unknown>(messages.map(idOf).filter((id) => id !== undefined && id !== null));
  // Ids beyond 2^53 may pass for each other: that is one sent again less.
  const isAnswer = messagesIn(bytes).some((message) => ids.has(idOf(message)));
  if (isAnswer) return challenged ? "doubtful" : "answered";
  return challenged ? "unrun" : "doubtful";
}

/** The messages of a body; none where it is no JSON. */
function messagesIn(body: Uint8Array): readonly unknown[] {
  try {
    const read: unknown = JSON.parse(new TextDecoder().decode(body));
    return Array.isArray(read) ? read : [read];
  } catch {
    return [];
  }
}

function methodOf(message: unknown): string | undefined {
  const method = (message as { method?: unknown } | null)?.method;
  return typeof method === "string" ? method : undefined;
}

function idOf(message: unknown): unknown {
  return (message as { id?: unknown } | null)?.id;
}
