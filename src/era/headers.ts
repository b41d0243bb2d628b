/**
 * The request metadata headers of 2026-07-28 and their check against the body (R33).
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Request Metadata" and "Server Validation".
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { Message } from "../json/mod.ts";

/** For the methods that need `Mcp-Name`: which member of `params` it mirrors. */
export const NAME_SOURCE: ReadonlyMap<string, "name" | "uri"> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
]);

const TAB = 0x09;
const SPACE = 0x20;
const LAST_VISIBLE = 0x7e;

const SENTINEL_PREFIX = "=?base64?";
const SENTINEL_SUFFIX = "?=";
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The value of a mirrored header: base64 sentinel form decoded, anything else as it stands.
 * `undefined` where the sentinel form holds no valid base64 of UTF-8, or the value other characters than ASCII
 * ("Value Encoding").
 */
export function decodeHeaderValue(value: string): string | undefined {
  if (!isAscii(value)) return undefined;
  if (!value.startsWith(SENTINEL_PREFIX) || !value.endsWith(SENTINEL_SUFFIX)) return value;
  if (value.length < SENTINEL_PREFIX.length + SENTINEL_SUFFIX.length) return value;
  const encoded = value.slice(SENTINEL_PREFIX.length, -SENTINEL_SUFFIX.length);
  if (!BASE64.test(encoded)) return undefined;
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** By hand, since each modern request asks and a regular expression is dear in a cold call (bench/NOTES.md). */
function isAscii(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code > LAST_VISIBLE || (code < SPACE && code !== TAB)) return false;
  }
  return true;
}

/** A text as the value of a mirrored header: as it is, or in base64 sentinel form ("Value Encoding"). */
export function encodeHeaderValue(text: string): string {
  const isPlain = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/.test(text);
  if (isPlain && !(text.startsWith(SENTINEL_PREFIX) && text.endsWith(SENTINEL_SUFFIX))) return text;
  const binary = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
  return `${SENTINEL_PREFIX}${btoa(binary.join(""))}${SENTINEL_SUFFIX}`;
}

/**
 * Checks `Mcp-Method` and `Mcp-Name` of a modern request against its body.
 *
 * @throws {ProxyError} `header_mismatch` (-32020).
 */
export function checkMirroredHeaders(
  message: Message,
  methodHeader: string | null,
  nameHeader: string | null,
): void {
  if (methodHeader === null) throw mismatch("The Mcp-Method header is missing.", message);
  checkMethodHeader(message, methodHeader);
  const source = NAME_SOURCE.get(message.method ?? "");
  if (source !== undefined) checkName(message, source, nameHeader);
}

/** Checks that `Mcp-Method` names the body's method. */
export function checkMethodHeader(message: Message, methodHeader: string): void {
  if (methodHeader !== message.method) {
    throw mismatch("The Mcp-Method header does not name the method in the body.", message);
  }
}

function checkName(message: Message, source: "name" | "uri", nameHeader: string | null): void {
  const inBody = message.params?.[source];
  if (nameHeader === null) {
    // Without the value there is nothing to mirror; the server answers for the missing parameter.
    if (typeof inBody !== "string") return;
    throw mismatch(
      `The Mcp-Name header is missing; it must mirror params.${source} of the body.`,
      message,
    );
  }
  const decoded = decodeHeaderValue(nameHeader);
  if (decoded === undefined) {
    throw mismatch(
      "The Mcp-Name header is neither plain ASCII nor valid base64 of UTF-8.",
      message,
    );
  }
  if (decoded !== inBody) {
    throw mismatch(`The Mcp-Name header does not match params.${source} of the body.`, message);
  }
}

/** A header/body disagreement, answering `message`. */
export function mismatch(sentence: string, message: Message): ProxyError {
  return new ProxyError("header_mismatch", sentence, { idText: message.idText });
}
