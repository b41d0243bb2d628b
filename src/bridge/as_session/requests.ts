/**
 * Requests of session-era clients as requests of 2026-07-28. Pure.
 *
 * Source: 2026-07-28 basic/index, "_meta"; basic/transports/streamable-http, "Request Metadata"; basic/patterns/mrtr.
 *
 * @module
 */

import { encodeHeaderValue, NAME_SOURCE, PROTOCOL_VERSION_KEY } from "../../era/mod.ts";
import { type FieldReader, Fields } from "../../http/mod.ts";
import { at, type Edit, isRecord, type RpcText, spanOf, splice } from "../../rpc/mod.ts";
import { type NewMember, objectEdits } from "./edits.ts";

/** The revision in which the bridge speaks to the server. */
export const MODERN = "2026-07-28";

/** Where results say which server they are from. */
export const SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo";

/** Where messages say which subscription they belong to. */
export const SUBSCRIPTION_ID_KEY = "io.modelcontextprotocol/subscriptionId";

const CLIENT_INFO_KEY = "io.modelcontextprotocol/clientInfo";
const CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL_KEY = "io.modelcontextprotocol/logLevel";

/** Members of `_meta` that the modern revision reserves for the exchange itself. */
export const MODERN_META: ReadonlySet<string> = new Set([
  PROTOCOL_VERSION_KEY,
  CLIENT_INFO_KEY,
  CAPABILITIES_KEY,
  LOG_LEVEL_KEY,
  SERVER_INFO_KEY,
  SUBSCRIPTION_ID_KEY,
]);

/** Whose requests they are. */
export interface Speaker {
  /** The text of the client's name and version; undefined where it has told none. */
  readonly clientInfo: string | undefined;
  /** The text of its capabilities. */
  readonly capabilities: string;
  /** The level of log messages that it wants; undefined for no such messages. */
  readonly logLevel: string | undefined;
}

/** What is different when a request is sent again. */
export interface Retry {
  /** The text of the answers to questions; undefined for none. */
  readonly inputResponses: string | undefined;
  /** The text of what the server keeps with its client; undefined for none. */
  readonly requestState: string | undefined;
}

const RETRY_KEYS: ReadonlySet<string> = new Set(["inputResponses", "requestState"]);

/** The members of `_meta` that every request has. */
function metaOf({ clientInfo, capabilities, logLevel }: Speaker): NewMember[] {
  const meta: NewMember[] = [[PROTOCOL_VERSION_KEY, `"${MODERN}"`]];
  if (clientInfo !== undefined) meta.push([CLIENT_INFO_KEY, clientInfo]);
  meta.push([CAPABILITIES_KEY, capabilities]);
  if (logLevel !== undefined) meta.push([LOG_LEVEL_KEY, JSON.stringify(logLevel)]);
  return meta;
}

/** A client's request in modern words: with its metadata, under the id `idText`, and everything else as it was. */
export function modernRequest(
  message: RpcText,
  idText: string,
  speaker: Speaker,
  retry?: Retry,
): string {
  const { text } = message;
  const edits: Edit[] = [{ span: spanOf(message, ["id"])!, text: idText }];
  const meta = metaOf(speaker);
  const adds = retry === undefined ? [] : Object.entries(retry).filter(isGiven);
  const params = spanOf(message, ["params"]);
  if (params === undefined) {
    const all: NewMember[] = [["params", object([["_meta", object(meta)], ...adds])]];
    edits.push(...objectEdits(text, { start: 0, end: text.length }, () => false, all));
    return splice(text, edits);
  }
  const metaSpan = isRecord(at(message.value, "params", "_meta"))
    ? spanOf(message, ["params", "_meta"])
    : undefined;
  const drops = (key: string) =>
    (retry !== undefined && RETRY_KEYS.has(key)) || (key === "_meta" && metaSpan === undefined);
  if (metaSpan === undefined) adds.unshift(["_meta", object(meta)]);
  else edits.push(...objectEdits(text, metaSpan, (key) => MODERN_META.has(key), meta));
  edits.push(...objectEdits(text, params, drops, adds));
  return splice(text, edits);
}

/** A request of the bridge's own. */
export function ownRequest(
  method: string,
  idText: string,
  speaker: Speaker,
  params: readonly NewMember[] = [],
): string {
  const all = object([["_meta", object(metaOf(speaker))], ...params]);
  return `{"jsonrpc":"2.0","id":${idText},"method":${JSON.stringify(method)},"params":${all}}`;
}

/** Whether a method can stand in `Mcp-Method`, which has no encoding. */
export function fitsField(method: string): boolean {
  return /^[\x21-\x7e]+$/.test(method);
}

/**
 * The header fields of a request: those of the client that are not of its own era, and those that mirror the
 * body.
 *
 * @param mirrored names and values that the schema of a tool asks for
 */
export function modernFields(
  headers: FieldReader,
  method: string,
  params: unknown,
  mirrored: readonly (readonly [name: string, value: string])[] = [],
): Fields {
  const fields = clientFields(headers);
  fields.append("content-type", "application/json");
  fields.append("mcp-protocol-version", MODERN);
  fields.append("mcp-method", method);
  const source = NAME_SOURCE.get(method);
  const name = source && at(params, source);
  if (typeof name === "string") fields.append("mcp-name", encodeHeaderValue(name));
  for (const [field, value] of mirrored) fields.append(field, encodeHeaderValue(value));
  return fields;
}

/** The fields of a client that go with any message of it. */
export function clientFields(headers: FieldReader): Fields {
  const fields = new Fields();
  headers.forEach((value, name) => {
    const isOfOneMessage = name.startsWith("mcp-") || name.startsWith("content-") ||
      name === "last-event-id" || name === "accept";
    if (!isOfOneMessage) fields.append(name, value);
  });
  return fields;
}

function object(members: readonly NewMember[]): string {
  return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`;
}

function isGiven(member: [string, string | undefined]): member is [string, string] {
  return member[1] !== undefined;
}
