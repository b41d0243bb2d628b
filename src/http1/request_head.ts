/**
 * The head of a request, and how its body is framed. Pure.
 *
 * Source: RFC 9112 sections 3, 6 and 9, RFC 9110 sections 7.2 and 10.1.1. What two readers could take
 * in two ways is refused, not repaired (R1 to R12).
 *
 * @module
 */

import { ReadFields } from "../http/mod.ts";
import type { BodyFraming } from "./body_decoder.ts";
import { listOf, parseLength } from "./field_list.ts";
import { HeadReader, type HeadRules } from "./head.ts";
import { HttpSyntaxError } from "./syntax.ts";

/** The head of a request. */
export interface RequestHead {
  /** The method, as it was written. */
  readonly method: string;
  /** The request target, as it was written. */
  readonly target: string;
  /** The minor version of HTTP/1. */
  readonly minor: 0 | 1;
  /** Fields in the order they came. */
  readonly fields: ReadFields;
  /** How the body ends; never with the connection. */
  readonly body: Exclude<BodyFraming, { kind: "close" }>;
  /** Whether the connection may serve again. */
  readonly persistent: boolean;
  /** Whether the client waits for a word before it sends the body. */
  readonly expectsContinue: boolean;
}

/** Most fields in the head of a request. */
export const MAX_REQUEST_FIELDS = 128;
/** Longest request line, in bytes. */
export const MAX_REQUEST_LINE_BYTES = 8_192;

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP\/(\d\.\d)$/;
const ABSOLUTE_FORM = /^https?:\/\//i;
const NO_BODY = { kind: "none" } as const;
const CHUNKED = { kind: "chunked" } as const;

const RULES: HeadRules<RequestHead> = {
  maxFields: MAX_REQUEST_FIELDS,
  maxFirstLineBytes: MAX_REQUEST_LINE_BYTES,
  skipsEmptyLine: true,
  head(firstLine, fields) {
    const line = REQUEST_LINE.exec(firstLine);
    if (line === null) throw new HttpSyntaxError("the request line is malformed");
    const [, method, target, version] = line as unknown as [string, string, string, string];
    if (version !== "1.1" && version !== "1.0") {
      throw new HttpSyntaxError("the version is not HTTP/1.0 or HTTP/1.1", "version");
    }
    checkTarget(method, target);
    return toHead(method, target, version === "1.1" ? 1 : 0, fields());
  },
  withLength(head, bytes) {
    const { list } = head.fields;
    const at = list.indexOf("content-length");
    // Said twice, or in a value, too: one may differ from the other from now on.
    if (list.indexOf("content-length", at + 1) !== -1) return undefined;
    const { method, target, minor, persistent, expectsContinue } = head;
    const fields = new ReadFields(list.with(at + 1, `${bytes}`), head.fields);
    const body = lengthFraming(bytes);
    return { method, target, minor, fields, body, persistent, expectsContinue };
  },
};

/** Reads the heads of requests, one after the other. */
export class RequestHeadReader extends HeadReader<RequestHead> {
  /** A reader that has read nothing. */
  constructor() {
    super(RULES);
  }
}

/** The four forms of RFC 9112 section 3.2, each with the methods it is for. */
function checkTarget(method: string, target: string): void {
  if (target.startsWith("/") || ABSOLUTE_FORM.test(target)) return;
  if (method === "CONNECT" || (method === "OPTIONS" && target === "*")) return;
  throw new HttpSyntaxError("the request target is neither a path nor an http URL");
}

function toHead(method: string, target: string, minor: 0 | 1, fields: ReadFields): RequestHead {
  const { list } = fields;
  let hosts = 0;
  let lengths: string[] | undefined;
  let codings: string[] | undefined;
  let connection: string[] | undefined;
  let expectsContinue = false;
  for (let at = 0; at < list.length; at += 2) {
    const value = list[at + 1]!;
    switch (list[at]) {
      case "host":
        hosts++;
        break;
      case "content-length":
        lengths = append(lengths, value);
        break;
      case "transfer-encoding":
        codings = append(codings, value);
        break;
      case "connection":
        connection = append(connection, value);
        break;
      case "expect":
        expectsContinue ||= minor === 1 && value.toLowerCase() === "100-continue";
        break;
    }
  }
  // R9. A request of HTTP/1.0 may have none (RFC 9112 section 3.2).
  if (hosts > 1 || (hosts === 0 && minor === 1)) {
    throw new HttpSyntaxError("there is no Host field, or more than one");
  }
  return {
    method,
    target,
    minor,
    fields,
    body: bodyFraming(minor, codings, lengths),
    // A client of HTTP/1.0 that asks for keep-alive can do without it.
    persistent: minor === 1 && connection?.includes("close") !== true,
    expectsContinue,
  };
}

function append(list: string[] | undefined, value: string): string[] {
  return list === undefined ? listOf(value) : [...list, ...listOf(value)];
}

function bodyFraming(
  minor: 0 | 1,
  codings: readonly string[] | undefined,
  lengths: readonly string[] | undefined,
): RequestHead["body"] {
  if (codings !== undefined) {
    // R1: a server may read such a request as chunked, and one before it as of a length.
    if (lengths !== undefined) throw new HttpSyntaxError("it has a length and a transfer coding");
    if (minor === 0 || codings.length > 1 || codings[0] !== "chunked") {
      throw new HttpSyntaxError("the transfer coding is not chunked alone");
    }
    return CHUNKED;
  }
  if (lengths === undefined) return NO_BODY;
  return lengthFraming(parseLength(lengths));
}

function lengthFraming(bytes: number): RequestHead["body"] {
  return bytes === 0 ? NO_BODY : { kind: "length", bytes };
}
