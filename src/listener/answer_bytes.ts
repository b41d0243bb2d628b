/**
 * Answers as bytes. Pure.
 *
 * Source: RFC 9112 sections 4, 6 and 7.1.
 *
 * @module
 */

import type { Bytes, ClientAnswer } from "../http/mod.ts";
import { cutBytes, encodeHead, type HeadParts, putText } from "../http1/mod.ts";

/** What an answer is written for. */
export interface AnswerFrame {
  /** The minor version that the client speaks. */
  readonly minor: 0 | 1;
  /** Whether the request was HEAD. */
  readonly headOnly: boolean;
  /** Whether the connection is closed behind the answer. */
  readonly close: boolean;
  /** The value of Date. */
  readonly date: string;
}

/** A body up to this length goes out in one write with its head. */
const ONE_WRITE_BYTES = 65_536;

/** What ends a body in chunked coding. */
const LAST_CHUNK = "0\r\n\r\n";

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  202: "Accepted",
  204: "No Content",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

const NOTHING: Bytes = new Uint8Array();

/** Whether an answer of this status can have a body (RFC 9110 section 6.4.1). */
function hasBody(status: number): boolean {
  return status !== 204 && status !== 304;
}

/** Whether the body of an answer, if it has one, is sent. */
export function mayHaveBody(answer: ClientAnswer, frame: AnswerFrame): boolean {
  return !frame.headOnly && hasBody(answer.status);
}

/** The head of an answer: of a body that comes bit by bit, it says that. */
function headParts({ status, fields, body }: ClientAnswer, frame: AnswerFrame): HeadParts {
  return {
    before: ["HTTP/1.1 ", `${status}`, " ", REASONS[status] ?? "", "\r\n"],
    fields: fields.list,
    behind: [
      "date: ",
      frame.date,
      frame.close ? "\r\nconnection: close" : "",
      hasBody(status) ? framing(body, frame) : "",
      body instanceof Uint8Array && hasBody(status) ? `${body.length}` : "",
      "\r\n\r\n",
    ],
  };
}

/** The field that says where the body ends, behind a CRLF; the length of one that is there stands behind it. */
function framing(body: ClientAnswer["body"], { minor }: AnswerFrame): string {
  if (body === null) return "\r\ncontent-length: 0";
  if (body instanceof Uint8Array) return "\r\ncontent-length: ";
  return minor === 1 ? "\r\ntransfer-encoding: chunked" : "";
}

/**
 * The head of an answer whose body comes bit by bit.
 *
 * @throws {TypeError} where a field holds a line break or another control character (R16).
 */
export function streamHead(answer: ClientAnswer, frame: AnswerFrame): Bytes {
  return encodeHead(headParts(answer, frame));
}

/**
 * A whole answer: one piece, or head and body apart where the body is large.
 *
 * @throws {TypeError} see `streamHead`
 */
export function wholeAnswer(answer: ClientAnswer, frame: AnswerFrame): readonly Uint8Array[] {
  const head = headParts(answer, frame);
  const { body } = answer;
  const sent = body instanceof Uint8Array && mayHaveBody(answer, frame) ? body : NOTHING;
  if (sent.length === 0) return [encodeHead(head)];
  if (sent.length > ONE_WRITE_BYTES) return [encodeHead(head), sent];
  return [encodeHead(head, sent)];
}

/**
 * What goes out in one write: a head or nothing, pieces of a body as one chunk (as they are for a client of
 * HTTP/1.0), and the end of the body where it has come.
 */
export function bodyBytes(
  head: Bytes | undefined,
  pieces: readonly Bytes[],
  chunked: boolean,
  ended: boolean,
): Bytes {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const framed = chunked && length > 0;
  const before = framed ? `${length.toString(16)}\r\n` : "";
  const after = (framed ? "\r\n" : "") + (chunked && ended ? LAST_CHUNK : "");
  const headLength = head?.length ?? 0;
  const whole = cutBytes(headLength + before.length + length + after.length);
  if (head !== undefined) whole.set(head);
  let at = putText(whole, headLength, before);
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  putText(whole, at, after);
  return whole;
}
