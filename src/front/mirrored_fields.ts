/**
 * The header fields that mirror a body which an interceptor has changed.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Request Metadata": `Mcp-Method`, `Mcp-Name` and
 * `Mcp-Param-*` must say what the body says.
 *
 * @module
 */

import { decodeHeaderValue, encodeHeaderValue, NAME_SOURCE } from "../era/mod.ts";
import { type FieldReader, Fields } from "../http/mod.ts";
import type { JsonRpcMessage } from "../intercept/mod.ts";

const PARAMETER = "mcp-param-";

/**
 * The fields of a request, mirroring `after` in the place of `before`.
 *
 * Which argument an `Mcp-Param-*` field mirrors stands in the tool's schema, which is not known here: it
 * is taken to be every argument that had the field's value. Where those have gone, or do not agree any
 * more, the field goes: the server then says what is missing, and nothing that was taken out of the body
 * gets there in a header.
 */
export function mirrored(
  headers: FieldReader,
  before: JsonRpcMessage,
  after: JsonRpcMessage,
): FieldReader {
  const list: string[] = [];
  headers.forEach((value, name) => {
    if (name === "mcp-method" || name === "mcp-name") return;
    const kept = name.startsWith(PARAMETER) ? parameter(value, before, after) : value;
    if (kept !== undefined) list.push(name, kept);
  });
  const method = String(after["method"]);
  list.push("mcp-method", method);
  const source = NAME_SOURCE.get(method);
  const name = source && (after["params"] as Record<string, unknown> | undefined)?.[source];
  if (typeof name === "string") list.push("mcp-name", encodeHeaderValue(name));
  return new Fields(list);
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
