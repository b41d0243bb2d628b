/**
 * Content negotiation: what a client sends and what it says it can take (R30, R31).
 *
 * @module
 */

import { accepts } from "@std/http/negotiation";
import { ProxyError } from "../errors.ts";
import type { FieldReader } from "../http/mod.ts";
import { EVENT_STREAM, JSON_TYPE } from "../sse/mod.ts";

/** Longest `Accept` that is read: one of 60,000 commas would hold all others up for 18 ms. */
const MAX_ACCEPT_CHARACTERS = 1_024;

/** What official clients send, so that the usual case needs no parsing. */
const USUAL_ACCEPT: ReadonlySet<string> = new Set([
  "application/json, text/event-stream",
  "text/event-stream, application/json",
]);

/**
 * Checks that a POST carries plain JSON.
 *
 * @throws {ProxyError} `unsupported_media_type`.
 */
export function requireJsonBody(headers: FieldReader): void {
  const type = headers.get("content-type");
  if (type !== JSON_TYPE && !isJsonType(type ?? "")) {
    throw new ProxyError(
      "unsupported_media_type",
      "The Content-Type must be application/json, in UTF-8.",
    );
  }
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    throw new ProxyError(
      "unsupported_media_type",
      "Compressed request bodies are not accepted; send the JSON as it is.",
    );
  }
}

function isJsonType(type: string): boolean {
  const [name, ...parameters] = type.toLowerCase().split(";").map((part) => part.trim());
  if (name !== JSON_TYPE) return false;
  const charset = parameters.find((parameter) => parameter.startsWith("charset="));
  return charset === undefined || /^charset="?utf-?8"?$/.test(charset);
}

/**
 * Checks that a POST accepts both forms of an answer (every revision: "The client MUST include an
 * Accept header, listing both"); a wildcard lists both.
 *
 * @throws {ProxyError} `not_acceptable`.
 */
export function requireAcceptAnswer(headers: FieldReader): void {
  const accept = headers.get("accept");
  if (accept !== null && USUAL_ACCEPT.has(accept)) return;
  if (acceptsType(headers, JSON_TYPE) && acceptsType(headers, EVENT_STREAM)) return;
  throw new ProxyError(
    "not_acceptable",
    "The Accept header must list both application/json and text/event-stream, " +
      `in at most ${MAX_ACCEPT_CHARACTERS} characters.`,
  );
}

/**
 * Checks that a GET accepts an event stream.
 *
 * @throws {ProxyError} `not_acceptable`.
 */
export function requireAcceptStream(headers: FieldReader): void {
  if (acceptsType(headers, EVENT_STREAM)) return;
  throw new ProxyError("not_acceptable", "The Accept header must list text/event-stream.");
}

function acceptsType(headers: FieldReader, type: string): boolean {
  const accept = headers.get("accept");
  if (accept === null || accept.length > MAX_ACCEPT_CHARACTERS) return false;
  return accepts({ headers: new Headers({ accept }) }, type) === type;
}
