/**
 * Where the body of an answer ends, and whether its connection may serve again. Pure.
 *
 * Source: RFC 9112 sections 6.3 and 9.3.
 *
 * @module
 */

import type { AnswerHead } from "./answer_head.ts";
import { listOf, parseLength } from "./field_list.ts";
import type { BodyFraming } from "./body_decoder.ts";
import { HttpSyntaxError } from "./syntax.ts";

/** The framing of a body, and what becomes of the connection. */
export interface AnswerFraming {
  /** How the body ends. */
  readonly body: BodyFraming;
  /** Whether the connection may be used again after the body. */
  readonly reusable: boolean;
  /** How long the server keeps an idle connection, in seconds, where it says so. */
  readonly keepAliveSeconds: number | undefined;
}

/** The fields that say how an answer is framed, comma-separated values apart. */
interface FramingFields {
  readonly connection: string[];
  readonly codings: string[];
  readonly lengths: string[];
  readonly keepAlive: string[];
}

const FIELD_OF: Readonly<Record<string, keyof FramingFields>> = {
  "connection": "connection",
  "transfer-encoding": "codings",
  "content-length": "lengths",
  "keep-alive": "keepAlive",
};

function framingFields(head: AnswerHead): FramingFields {
  const found: FramingFields = { connection: [], codings: [], lengths: [], keepAlive: [] };
  head.fields.forEach((value, name) => {
    const field = Object.hasOwn(FIELD_OF, name) ? FIELD_OF[name] : undefined;
    if (field !== undefined) found[field].push(...listOf(value));
  });
  return found;
}

/**
 * The framing of the answer to a request with `method`.
 *
 * An answer with both framings is read as chunked and its connection not used again (R7).
 *
 * @throws {HttpSyntaxError} where the fields contradict each other.
 */
export function answerFraming(method: string, head: AnswerHead): AnswerFraming {
  // What is said to HEAD is framed otherwise than the same head as the answer to another method.
  if (method === "HEAD") return findFraming(method, head);
  return head.framing ??= findFraming(method, head);
}

function findFraming(method: string, head: AnswerHead): AnswerFraming {
  const { connection, codings, lengths, keepAlive } = framingFields(head);
  const body = bodyFraming(method, head, codings, lengths);
  const persistent = head.minor === 1
    ? !connection.includes("close")
    : connection.includes("keep-alive") && !connection.includes("close");
  const ambiguous = codings.length > 0 && lengths.length > 0;
  return {
    body,
    reusable: persistent && !ambiguous && body.kind !== "close",
    keepAliveSeconds: keepAliveHint(keepAlive),
  };
}

function bodyFraming(
  method: string,
  head: AnswerHead,
  codings: readonly string[],
  lengths: readonly string[],
): BodyFraming {
  const { status } = head;
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) {
    return { kind: "none" };
  }
  if (codings.length > 0) {
    if (head.minor === 0 || codings.length > 1 || codings[0] !== "chunked") {
      throw new HttpSyntaxError("the transfer coding is not chunked alone");
    }
    return { kind: "chunked" };
  }
  if (lengths.length === 0) return { kind: "close" };
  const bytes = parseLength(lengths);
  return bytes === 0 ? { kind: "none" } : { kind: "length", bytes };
}

/** `timeout` of the `Keep-Alive` field (RFC 2068 section 19.7.1.1), in seconds. */
function keepAliveHint(parameters: readonly string[]): number | undefined {
  for (const parameter of parameters) {
    const match = /^timeout\s*=\s*"?(\d{1,6})"?$/i.exec(parameter);
    if (match !== null) return Number(match[1]);
  }
  return undefined;
}
