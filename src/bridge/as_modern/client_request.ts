/**
 * A request of a modern client: what it says beside its method and parameters, and whether that may be so. Pure.
 *
 * Source: 2026-07-28 basic/index "_meta", basic/versioning "Protocol Version Negotiation", server/utilities/logging.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { PROTOCOL_VERSION_KEY } from "../../era/mod.ts";
import { ProxyError } from "../../errors.ts";
import { at, decode, isLevel, isRecord, readBody, type RpcText, textAt } from "../../rpc/mod.ts";
import {
  CLIENT_CAPABILITIES_KEY,
  CLIENT_INFO_KEY,
  LOG_LEVEL_KEY,
  MODERN_REVISION,
} from "./meta_keys.ts";
import { isObjectText, memberOf, withMembers, withoutMembers } from "./text_edits.ts";

/** What a client declares for its requests. */
export interface Declared {
  /** The capabilities, as they are declared to the server. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** The same as text, as the client wrote them. */
  readonly text: string;
  /** Equal for equal capabilities, whatever their order. */
  readonly key: string;
}

/** One request of a modern client. */
export interface ClientRequest {
  /** All of it. */
  readonly message: RpcText;
  /** Its id as it was written. */
  readonly idText: string;
  /** Its method. */
  readonly method: string;
  /** What the client can be asked. */
  readonly declared: Declared;
  /** Who the client says it is, as text; undefined where it does not say. */
  readonly clientInfo: string | undefined;
  /** The least severe log lines that it wants; undefined for none at all. */
  readonly logLevel: string | undefined;
  /** The text of its `inputResponses`. */
  readonly inputResponses: string | undefined;
  /** Its `requestState`; undefined where it is no string. */
  readonly requestState: string | undefined;
}

/** Methods of the session era that 2026-07-28 does not have, and that would change a session (changelog 2, 4, 5). */
const NOT_MODERN: ReadonlySet<string> = new Set([
  "initialize",
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe",
  "tasks/get",
  "tasks/result",
  "tasks/list",
  "tasks/cancel",
]);

/** Members of `params` with which a client goes on with a request. */
export const RETRY_MEMBERS: readonly string[] = ["inputResponses", "requestState"];

/**
 * Reads a request, which has passed the checks of the front.
 *
 * @throws {ProxyError} `unsupported_version`, `invalid_params`, `method_not_found`
 */
export function readRequest(bytes: Uint8Array, maxCapabilityCharacters: number): ClientRequest {
  const message = readBody(decode(bytes))?.messages[0];
  const idText = message && textAt(message, ["id"]);
  if (message === undefined || idText === undefined || typeof message.value.method !== "string") {
    throw new ProxyError("invalid_request", "The body must be one JSON-RPC request.", { idText });
  }
  const refuse = (sentence: string) => new ProxyError("invalid_params", sentence, { idText });
  checkVersion(message, idText);
  const capabilities = metaOf(message, CLIENT_CAPABILITIES_KEY);
  if (!isRecord(capabilities)) {
    throw refuse(`params._meta must have an object "${CLIENT_CAPABILITIES_KEY}".`);
  }
  const declared = declaredBy(message, capabilities);
  if (declared.text.length > maxCapabilityCharacters) {
    throw refuse(`The capabilities of a client may have ${maxCapabilityCharacters} characters.`);
  }
  const logLevel = metaOf(message, LOG_LEVEL_KEY);
  if (logLevel !== undefined && !isLevel(logLevel)) {
    throw refuse(`params._meta["${LOG_LEVEL_KEY}"] is no log level; "warning" is one.`);
  }
  const { method } = message.value as { method: string };
  if (NOT_MODERN.has(method)) {
    const sentence = `Revision ${MODERN_REVISION} has no method "${method}".`;
    throw new ProxyError("method_not_found", sentence, { idText });
  }
  const clientInfo = textAt(message, ["params", "_meta", CLIENT_INFO_KEY]);
  const requestState = at(message.value, "params", "requestState");
  if (requestState !== undefined && typeof requestState !== "string") {
    throw refuse("requestState must be the string that was given with the questions.");
  }
  return {
    message,
    idText,
    method,
    declared,
    clientInfo: isObjectText(clientInfo) ? clientInfo : undefined,
    logLevel,
    inputResponses: textAt(message, ["params", "inputResponses"]),
    requestState,
  };
}

/**
 * What is the same of a request and of its retry: the method and all parameters but those with which a
 * request is gone on with and `_meta`, which tells of the one POST (SHA-256, base64url).
 */
export function digestOf({ message, method }: ClientRequest): string {
  const params = textAt(message, ["params"]);
  const own = isObjectText(params) ? withoutMembers(params, [...RETRY_MEMBERS, "_meta"]) : "{}";
  return digest(`${method}\n${exactly(own)}`);
}

/** SHA-256 of a text, in base64url. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

function checkVersion(message: RpcText, idText: string): void {
  const requested = metaOf(message, PROTOCOL_VERSION_KEY);
  if (requested === MODERN_REVISION) return;
  if (typeof requested !== "string") {
    const sentence = `params._meta must have a string "${PROTOCOL_VERSION_KEY}".`;
    throw new ProxyError("invalid_params", sentence, { idText });
  }
  throw new ProxyError("unsupported_version", "This protocol version is not supported here.", {
    idText,
    data: { supported: [MODERN_REVISION], requested },
  });
}

function metaOf({ value }: RpcText, key: string): unknown {
  return at(value, "params", "_meta", key);
}

/**
 * Capabilities as a session declares them. Without what the bridge cannot carry: tasks of 2025-11-25, and
 * changes of roots, of which modern clients tell nobody.
 */
function declaredBy(message: RpcText, capabilities: Record<string, unknown>): Declared {
  const { tasks: _tasks, ...kept } = capabilities;
  const told = textAt(message, ["params", "_meta", CLIENT_CAPABILITIES_KEY])!;
  let text = withoutMembers(told, ["tasks"]);
  if (isRecord(kept.roots)) {
    const { listChanged: _listChanged, ...roots } = kept.roots;
    kept.roots = roots;
    const rootsText = withoutMembers(memberOf(text, "roots")!, ["listChanged"]);
    text = withMembers(text, [["roots", rootsText]]);
  }
  return { capabilities: kept, text, key: exactly(text) };
}

/** Equal for equal JSON values, and different for numbers that JavaScript cannot tell apart. */
function exactly(text: string): string {
  const tagged = (_key: string, value: unknown, { source }: { source?: string }) => {
    if (typeof value === "number") return `n${source}`;
    return typeof value === "string" ? `s${value}` : value;
  };
  const parse = JSON.parse as (text: string, reviver: typeof tagged) => unknown;
  return JSON.stringify(parse(text, tagged), inOrder);
}

function inOrder(_key: string, value: unknown): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
}
