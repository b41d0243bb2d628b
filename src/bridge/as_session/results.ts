/**
 * What a server of 2026-07-28 says in the words of the session era. Pure.
 *
 * Source: `Result`, `CacheableResult` and the error codes of schema 2026-07-28 beside those of the earlier
 * schemas; "Error Handling" of 2025-11-25 server/resources; 2026-07-28 changelog.
 *
 * @module
 */

import { errorBody, ProxyError } from "../../errors.ts";
import { elements, members, type Span } from "../../json/mod.ts";
import {
  at,
  type Edit,
  headerParams,
  isRecord,
  type RpcText,
  spanOf,
  splice,
} from "../../rpc/mod.ts";
import { arrayEdits, objectEdits } from "./edits.ts";
import { MODERN_META } from "./requests.ts";

/** What a response answers. */
export interface Answered {
  /** The method of the request. */
  readonly method: string;
  /** The id under which the client waits. */
  readonly idText: string;
  /** The parameters of the request. */
  readonly params: unknown;
  /** Told of each tool that is left out because its definition is not valid, and why. */
  readonly onRejectedTool: (name: string, why: string) => void;
}

const CACHEABLE: ReadonlySet<string> = new Set([
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
]);
const CACHE_MEMBERS: ReadonlySet<string> = new Set(["ttlMs", "cacheScope"]);

/** Boolean schemas, and the objects that mean the same (JSON Schema 2020-12 core, 4.3.2). */
const OBJECT_SCHEMAS: ReadonlyMap<string, string> = new Map([
  ["true", "{}"],
  ["false", '{"not":{}}'],
]);

const HEADER_MISMATCH = -32020;
const MISSING_CAPABILITY = -32021;
const UNSUPPORTED_VERSION = -32022;
const INVALID_REQUEST = -32600;
const INVALID_PARAMS = -32602;
const RESOURCE_NOT_FOUND = -32002;

/** The code of the error in a response; undefined for none. */
export function errorCode({ value }: RpcText): number | undefined {
  const code = at(value, "error", "code");
  return typeof code === "number" ? code : undefined;
}

/** Whether a server has refused the header fields of a request. */
export function isHeaderMismatch(message: RpcText): boolean {
  return errorCode(message) === HEADER_MISMATCH;
}

/** Whether a server does not speak the revision of the request. */
export function isUnsupportedVersion(message: RpcText): boolean {
  return errorCode(message) === UNSUPPORTED_VERSION;
}

/** A final response as the client is to get it. */
export function legacyResponse(message: RpcText, answered: Answered): string {
  const edits = idEdits(message, answered.idText);
  if (!Object.hasOwn(message.value, "error")) {
    return splice(message.text, [...edits, ...resultEdits(message, answered)]);
  }
  const code = errorCode(message);
  if (code === HEADER_MISMATCH || code === UNSUPPORTED_VERSION) {
    const what = code === HEADER_MISMATCH ? "header fields" : "protocol version";
    const sentence =
      `The upstream server does not take the ${what} with which the proxy translates requests; try again later.`;
    return errorBody(
      new ProxyError("upstream_protocol", sentence, { idText: answered.idText }),
    );
  }
  const legacy = code === MISSING_CAPABILITY
    ? INVALID_REQUEST
    : code === INVALID_PARAMS && isNotFound(message, answered)
    ? RESOURCE_NOT_FOUND
    : undefined;
  if (legacy !== undefined) {
    edits.push({ span: spanOf(message, ["error", "code"])!, text: `${legacy}` });
  }
  return splice(message.text, edits);
}

/** A notification as the client is to get it. */
export function legacyNotification(message: RpcText): string {
  const params = spanOf(message, ["params"]);
  if (params === undefined) return message.text;
  const drop = metaToDrop(message, ["params"]);
  return splice(message.text, [
    ...drop.edits,
    ...objectEdits(message.text, params, (key) => drop.whole && key === "_meta"),
  ]);
}

/** Whether an error about parameters says that there is no such resource, which had a code of its own. */
function isNotFound(message: RpcText, { method, params }: Answered): boolean {
  if (method !== "resources/read") return false;
  const uri = at(params, "uri");
  if (typeof uri !== "string") return false;
  const told = at(message.value, "error", "message");
  return at(message.value, "error", "data", "uri") === uri ||
    (typeof told === "string" && /not found|no such|unknown|does not exist/i.test(told));
}

function idEdits(message: RpcText, idText: string): Edit[] {
  const span = spanOf(message, ["id"]);
  if (span !== undefined) return [{ span, text: idText }];
  return objectEdits(message.text, { start: 0, end: message.text.length }, () => false, [
    ["id", idText],
  ]);
}

function resultEdits(message: RpcText, answered: Answered): Edit[] {
  const { text, value } = message;
  const { method } = answered;
  const result = spanOf(message, ["result"]);
  if (result === undefined || !isRecord(value.result)) return [];
  const meta = metaToDrop(message, ["result"]);
  // Since 2026-07-28 it can be any value; before, it is an object.
  const isForeign = method === "tools/call" && !isRecord(value.result.structuredContent);
  const drops = (key: string) =>
    key === "resultType" || (CACHE_MEMBERS.has(key) && CACHEABLE.has(method)) ||
    (key === "_meta" && meta.whole) || (key === "structuredContent" && isForeign);
  const edits = [...meta.edits, ...objectEdits(text, result, drops)];
  return method === "tools/list" ? [...edits, ...toolEdits(message, answered)] : edits;
}

/** What takes the modern members out of the `_meta` of something, which goes as a whole if nothing is left. */
function metaToDrop(
  message: RpcText,
  path: readonly string[],
): { readonly whole: boolean; readonly edits: Edit[] } {
  const metaPath = [...path, "_meta"];
  const meta = at(message.value, ...metaPath);
  const span = spanOf(message, metaPath);
  if (span === undefined || !isRecord(meta)) return { whole: false, edits: [] };
  const keys = Object.keys(meta);
  if (keys.length > 0 && keys.every((key) => MODERN_META.has(key))) {
    return { whole: true, edits: [] };
  }
  return { whole: false, edits: objectEdits(message.text, span, (key) => MODERN_META.has(key)) };
}

/**
 * Tools that are not valid go (streamable-http, "Schema Extension"), and so do schemas of what is no object;
 * the other schemas are written as earlier revisions have them.
 */
function toolEdits(message: RpcText, { onRejectedTool }: Answered): Edit[] {
  const path = ["result", "tools"];
  const list = at(message.value, ...path);
  const span = spanOf(message, path);
  if (span === undefined || !Array.isArray(list)) return [];
  const spans: Span[] = elements(message.text, span.start);
  const rejected = list.map((tool) => {
    const why = headerParams(at(tool, "inputSchema"));
    if (typeof why === "string") onRejectedTool(String(at(tool, "name")), why);
    return typeof why === "string";
  });
  const edits = arrayEdits(spans, (index) => rejected[index]!);
  list.forEach((tool, index) => {
    if (rejected[index]) return;
    const { text } = message;
    const span = spans[index]!;
    const schema = at(tool, "outputSchema");
    edits.push(...propertyEdits(text, span, tool, "inputSchema"));
    if (schema === undefined) return;
    edits.push(
      ...(at(schema, "type") === "object"
        ? propertyEdits(text, span, tool, "outputSchema")
        : objectEdits(text, span, (key) => key === "outputSchema")),
    );
  });
  return edits;
}

/**
 * Boolean schemas of the properties in a schema of the tool at `span` become objects that mean the same:
 * before 2026-07-28 properties are objects (`Tool` of the schemas), and clients refuse the whole list else.
 */
function propertyEdits(text: string, span: Span, tool: unknown, schema: string): Edit[] {
  const properties = at(tool, schema, "properties");
  if (!isRecord(properties)) return [];
  if (!Object.values(properties).some((one) => typeof one === "boolean")) return [];
  const inside = (from: Span, key: string): Span =>
    members(text, from.start).findLast((member) => member.key === key)!;
  return members(text, inside(inside(span, schema), "properties").start).flatMap(
    ({ start, end }): Edit[] => {
      const put = OBJECT_SCHEMAS.get(text.slice(start, end));
      return put === undefined ? [] : [{ span: { start, end }, text: put }];
    },
  );
}
