/**
 * The header fields that mirror a body which an interceptor has changed.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Request Metadata": `MCP-Protocol-Version`,
 * `Mcp-Method`, `Mcp-Name` and `Mcp-Param-*` must say what the body says.
 *
 * @module
 */

import {
  decodeHeaderValue,
  encodeHeaderValue,
  NAME_SOURCE,
  PROTOCOL_VERSION_KEY,
} from "../era/mod.ts";
import { type FieldReader, Fields } from "../http/mod.ts";
import type { JsonRpcMessage } from "../intercept/mod.ts";
import { type HeaderParam, mirroredValues } from "../rpc/mod.ts";

const PARAMETER = "mcp-param-";

/** What stands in a header field as it is: it has no encoding where it cannot ("Standard Request Headers"). */
const PLAIN = /^[\x21-\x7e]+$/;

/**
 * The fields of a request, mirroring `after` in the place of `before`.
 *
 * Which argument an `Mcp-Param-*` field mirrors stands in the tool's schema. Where that is known the field says
 * what the argument says. Where it is not, the field is taken to mirror every argument that had its value. Where
 * those have gone, or do not agree any more, the field goes: the server then says what is missing, its client
 * asks for the list of tools ("Client Behavior"), from which the schema is learnt here, and nothing that was
 * taken out of the body gets to the server in a header.
 *
 * @param params what is mirrored of the tool that `after` calls, where it is known
 */
export function mirrored(
  headers: FieldReader,
  before: JsonRpcMessage,
  after: JsonRpcMessage,
  params: readonly HeaderParam[] = [],
): FieldReader {
  const own = new Map<string, string>([
    ...standard(after),
    ...mirroredValues(params, plain(argumentsOf(after)))
      .map(([field, value]): [string, string] => [field, encodeHeaderValue(value)]),
  ]);
  // Gone where the body has nothing for them any more.
  const known = new Set(["mcp-method", "mcp-name", ...params.map(({ field }) => field)]);
  const list: string[] = [];
  headers.forEach((value, name) => {
    if (known.has(name) || own.has(name)) return;
    const kept = name.startsWith(PARAMETER) ? parameter(value, before, after) : value;
    if (kept !== undefined) list.push(name, kept);
  });
  return new Fields([...list, ...[...own].flat()]);
}

/** The fields that every message has, or all of a method. */
function* standard(message: JsonRpcMessage): Generator<[string, string]> {
  const method = String(message["method"]);
  if (PLAIN.test(method)) yield ["mcp-method", method];
  const params = message["params"] as Record<string, unknown> | undefined;
  const source = NAME_SOURCE.get(method);
  const name = source && params?.[source];
  if (typeof name === "string") yield ["mcp-name", encodeHeaderValue(name)];
  const meta = params?.["_meta"];
  const version = isContainer(meta) ? meta[PROTOCOL_VERSION_KEY] : undefined;
  if (typeof version === "string" && PLAIN.test(version)) yield ["mcp-protocol-version", version];
}

/** A value without numbers that are kept as they were written: fields have the plain ones ("Value Encoding"). */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function parameter(
  value: string,
  before: JsonRpcMessage,
  after: JsonRpcMessage,
): string | undefined {
  const decoded = decodeHeaderValue(value);
  const now = new Set<string | undefined>();
  eachScalar(argumentsOf(before), argumentsOf(after), (was, is) => {
    if (was === decoded) now.add(is);
  });
  const [only] = now;
  if (now.size !== 1 || only === undefined) return undefined;
  return only === decoded ? value : encodeHeaderValue(only);
}

function argumentsOf(message: JsonRpcMessage): unknown {
  return (message["params"] as Record<string, unknown> | undefined)?.["arguments"];
}

/** Calls back with each text, number and boolean of `before`, and with what stands there in `after`. */
function eachScalar(
  before: unknown,
  after: unknown,
  found: (was: string, is: string | undefined) => void,
): void {
  if (!isContainer(before)) {
    const was = textOf(before);
    return was === undefined ? undefined : found(was, textOf(after));
  }
  for (const [key, value] of Object.entries(before)) {
    const there = isContainer(after) && Object.hasOwn(after, key) ? after[key] : undefined;
    eachScalar(value, there, found);
  }
}

/** An object or array, but no number that is kept as it was written. */
function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && typeof value.valueOf() === "object";
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null || isContainer(value)) return undefined;
  return String(value);
}
