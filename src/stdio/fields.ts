/**
 * What a message is, and the header fields that go with one of the client. Pure.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Request Metadata"; 2025-11-25 basic/transports,
 * "Protocol Version Header".
 *
 * @module
 */

import {
  encodeHeaderValue,
  NAME_SOURCE,
  PROTOCOL_VERSION_KEY,
  SESSION_REVISIONS,
} from "../era/mod.ts";
import type { Message } from "../json/mod.ts";
import { at, isRecord, kindOf, readBody, type RpcBody } from "../rpc/mod.ts";
import type { FieldList } from "./caller.ts";

/** The revision that a message names in `_meta`; undefined where it names none. */
export function claimOf({ params }: Message): string | undefined {
  const claim = at(params, "_meta", PROTOCOL_VERSION_KEY);
  return typeof claim === "string" ? claim : undefined;
}

/** Whether a message belongs to 2026-07-28 or later: it has no session then. */
export function isModern(message: Message): boolean {
  const claim = claimOf(message);
  return claim !== undefined && !SESSION_REVISIONS.includes(claim);
}

/** The messages in a text; undefined where it holds something else, which may not stand on stdout. */
export function messagesIn(text: string): RpcBody | undefined {
  const body = readBody(text);
  const isSound = body?.messages.every((message) =>
    message.value.jsonrpc === "2.0" && kindOf(message) !== undefined &&
    (message.value.error === undefined || isRecord(message.value.error))
  );
  return isSound === true ? body : undefined;
}

/** The fields that mirror a modern message. */
export function modernFields(message: Message): FieldList {
  const fields = ["mcp-protocol-version", encodeHeaderValue(claimOf(message)!)];
  if (message.method === undefined) return fields;
  fields.push("mcp-method", encodeHeaderValue(message.method));
  const source = NAME_SOURCE.get(message.method);
  const name = source && message.params?.[source];
  if (typeof name === "string") fields.push("mcp-name", encodeHeaderValue(name));
  return fields;
}
