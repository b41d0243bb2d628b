/**
 * Telling from an answer that the upstream does not know the session any more.
 *
 * Source: 2025-11-25 basic/transports, "Session Management": a server answers 404 for a session that it does
 * not know. Many answer 400 instead, with the error -32000 or a line of text; what they say is in
 * `lost_session_test.ts`.
 *
 * A 404 may also be the answer to a request: a JSON-RPC error which names its id, of a code that is not used
 * for sessions. Such a request was looked at, and may have run (R64).
 *
 * A request whose session is lost has not run: the session is looked up before the request is looked at. So no
 * other sentence may pass for one of these, least of all one that a tool or a client can choose (R64).
 *
 * @module
 */

import { heldBody } from "./held_body.ts";
import type { UpstreamAnswer } from "./upstream.ts";

/** A body of an error that is looked into has at most so many bytes. */
const MAX_ERROR_BYTES = 65_536;

const SESSION = "(?:mcp[- ])?session(?:[- ]id)?(?: header)?";

/** Whole sentences with which servers refuse a session; nothing may stand around them. */
const SENTENCE = new RegExp(
  "^(?:(?:bad request|invalid request|not found|error): )?(?:" + [
    "no valid session id(?: provided| or not an initialize request)?",
    `(?:no|invalid|unknown|missing|expired|invalid or missing|missing or invalid|invalid or expired) ${SESSION}` +
    "(?: provided)?",
    `${SESSION} (?:is |was |has )?(?:not found|unknown|invalid|expired|terminated|required|missing)`,
    "(?:server|session) not initialized",
  ].join("|") + ")\\.?$",
  "i",
);

/**
 * Codes with which servers say in a 404 that they do not know a session: those of the SDKs for TypeScript
 * (-32000, -32001) and Python (-32600), -32002 (typescript-sdk#2125), and that of this proxy.
 */
const SESSION_CODES: ReadonlySet<unknown> = new Set([-32000, -32001, -32002, -32600, -31404]);

/** What was found out about an answer. */
export interface LookedInto {
  /** Whether it says that the session is not known. */
  readonly lost: boolean;
  /** The answer, as if nobody had looked. */
  readonly answer: UpstreamAnswer;
}

/** Whether the head of an answer may mean that the upstream does not know the session. */
export function mayBeLost({ status }: UpstreamAnswer): boolean {
  return status === 404 || status === 400;
}

/**
 * Whether an answer says that the session is not known.
 *
 * @param idText the exact text of the id of the one request that it answers; left out where there is none
 */
export async function lookInto(answer: UpstreamAnswer, idText?: string): Promise<LookedInto> {
  if (answer.status === 404) {
    if (idText === undefined || answer.kind !== "json") return { lost: true, answer };
    return await lookIntoNotFound(answer, idText);
  }
  if (answer.status !== 400 || answer.kind === "sse") return { lost: false, answer };
  const body = await answer.body.bytesWithin(MAX_ERROR_BYTES);
  if (body === null) return { lost: false, answer };
  const text = new TextDecoder().decode(body);
  const said = answer.kind === "json" ? messageOf(text) : text.trim();
  return { lost: speaksOfSession(said), answer: { ...answer, body: heldBody(body) } };
}

async function lookIntoNotFound(answer: UpstreamAnswer, idText: string): Promise<LookedInto> {
  const body = await answer.body.bytesWithin(MAX_ERROR_BYTES);
  // Nobody says so much of a session.
  if (body === null) return { lost: false, answer };
  const lost = !answersRequest(new TextDecoder().decode(body), idText);
  return { lost, answer: { ...answer, body: heldBody(body) } };
}

/** Whether it is an error that names the request, and not one about its session. */
function answersRequest(text: string, idText: string): boolean {
  try {
    const { id, error } = JSON.parse(text) as { id?: unknown; error?: { code?: unknown } };
    if (id !== JSON.parse(idText)) return false;
    return typeof error?.code === "number" && !SESSION_CODES.has(error.code);
  } catch {
    return false;
  }
}

function speaksOfSession(said: string | undefined): boolean {
  return said !== undefined && SENTENCE.test(said);
}

/** The message of a JSON-RPC error -32000. */
function messageOf(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
    if (error?.code !== -32000 || typeof error.message !== "string") return undefined;
    return error.message;
  } catch {
    return undefined;
  }
}
