/**
 * What a server of the session era answers, as a modern client is told it. Pure.
 *
 * Sources: 2026-07-28 basic/index "Result Responses" and "Error Codes", server/utilities/caching,
 * basic/transports/streamable-http.
 *
 * @module
 */

import { PROTOCOL_VERSION_KEY } from "../../era/mod.ts";
import { errorBody, ProxyError } from "../../errors.ts";
import { elements } from "../../json/mod.ts";
import { at, isRecord, type RpcText, withTexts } from "../../rpc/mod.ts";
import type { Declared } from "./client_request.ts";
import { MODERN_REVISION, SERVER_INFO_KEY } from "./meta_keys.ts";
import type { CacheHints } from "./options.ts";
import { isObjectText, memberOf, withMembers, withMeta, withoutMembers } from "./text_edits.ts";

/** A message for a client, and the HTTP status that goes with it where it is the whole answer. */
export interface Told {
  /** The HTTP status. */
  readonly status: number;
  /** The message. */
  readonly text: string;
}

/** Results that say how long they may be kept. */
const CACHEABLE: ReadonlySet<string> = new Set([
  "server/discover",
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
]);

/** The member of a tool that says how it is run (2025-11-25 schema). */
const EXECUTION = "execution";

const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;
/** Of 2025-11-25 and before: resource not found. */
const RESOURCE_NOT_FOUND = -32002;
/** Of 2025-11-25 alone: the user has to open a URL first. */
export const URL_ELICITATION_REQUIRED = -32042;

/** The errors that 2026-07-28 has defined: a server of the session era has none of them. */
const MODERN_CODES: ReadonlySet<unknown> = new Set([-32020, -32021, -32022]);

/** The text of a response with this result; `serverInfo` is the text of what the server says it is. */
export function resultText(
  idText: string,
  result: string,
  method: string,
  serverInfo: string | undefined,
  hints: CacheHints,
): string {
  const cached = CACHEABLE.has(method)
    ? [["ttlMs", `${hints.ttlMs}`], ["cacheScope", `"${hints.cacheScope}"`]] as const
    : [];
  const own = method === "tools/list" ? withoutTasks(result) : result;
  const complete = withMembers(isObjectText(own) ? own : "{}", [
    ["resultType", '"complete"'],
    ...cached,
  ]);
  return response(idText, isObjectText(serverInfo) ? identified(complete, serverInfo) : complete);
}

/**
 * A list of tools without those that can only be called as tasks, which 2026-07-28 does not have, and without
 * what the others say of tasks (changelog 6; 2025-11-25 basic/utilities/tasks "Tool-Level Negotiation").
 */
function withoutTasks(result: string): string {
  const list = isObjectText(result) ? memberOf(result, "tools") : undefined;
  if (!list?.startsWith("[")) return result;
  const tools = elements(list).map(({ start, end }) => list.slice(start, end));
  const told = tools.filter((tool) => !isTaskAlone(tool))
    .map((tool) => isObjectText(tool) ? withoutMembers(tool, [EXECUTION]) : tool);
  const isSame = told.length === tools.length && told.every((tool, index) => tool === tools[index]);
  return isSame ? result : withMembers(result, [["tools", `[${told.join(",")}]`]]);
}

function isTaskAlone(tool: string): boolean {
  const execution = isObjectText(tool) ? memberOf(tool, EXECUTION) : undefined;
  return isObjectText(execution) && memberOf(execution, "taskSupport") === '"required"';
}

/** Whether an error says that a server does not have a method. */
export function saysNoMethod({ value }: RpcText): boolean {
  return at(value, "error", "code") === METHOD_NOT_FOUND;
}

/**
 * The text of a response with the error of a server.
 *
 * @param has whether the server has the method: an error that says otherwise is about what was called then
 */
export function errorTold(
  message: RpcText,
  idText: string,
  { capabilities }: Declared,
  has: boolean,
): Told {
  const code = at(message.value, "error", "code");
  const missing = missingCapability(message, capabilities);
  if (missing !== undefined) {
    const sentence = "The server needs a capability that this request does not declare.";
    const error = new ProxyError("missing_capability", sentence, {
      idText,
      data: { requiredCapabilities: missing },
    });
    return { status: error.status, text: errorBody(error) };
  }
  if (code === URL_ELICITATION_REQUIRED || isModern(message)) {
    const error = new ProxyError(
      "upstream_protocol",
      "The upstream server answered with an error of another revision than it was asked in.",
      { idText },
    );
    return { status: error.status, text: errorBody(error) };
  }
  const said = code === RESOURCE_NOT_FOUND
    ? withTexts(message, [["error", "code"], `${INVALID_PARAMS}`])
    : message.text;
  const text = `{"jsonrpc":"2.0","id":${idText},"error":${memberOf(said, "error")}}`;
  return { status: saysNoMethod(message) && !has ? 404 : 200, text };
}

/** Whether an error is one with which a server of 2026-07-28 or later refuses what a session sends. */
export function isModern({ value }: RpcText): boolean {
  const { error } = value;
  if (!isRecord(error)) return false;
  if (MODERN_CODES.has(error.code)) return true;
  return error.code === INVALID_PARAMS && typeof error.message === "string" &&
    error.message.includes(PROTOCOL_VERSION_KEY);
}

/** What `server/discover` is answered with, from the server's `InitializeResult`. */
export function discoverText(idText: string, initialized: string, hints: CacheHints): string {
  const capabilities = memberOf(initialized, "capabilities");
  const instructions = memberOf(initialized, "instructions");
  const found: [string, string][] = [
    ["supportedVersions", JSON.stringify([MODERN_REVISION])],
    // Tasks of 2025-11-25 are no part of 2026-07-28 (changelog 6).
    ["capabilities", isObjectText(capabilities) ? withoutMembers(capabilities, ["tasks"]) : "{}"],
  ];
  if (instructions?.startsWith('"')) found.push(["instructions", instructions]);
  const serverInfo = memberOf(initialized, "serverInfo");
  return resultText(idText, withMembers("{}", found), "server/discover", serverInfo, hints);
}

/** The text of a response with this result. */
export function response(idText: string, result: string): string {
  return `{"jsonrpc":"2.0","id":${idText},"result":${result}}`;
}

/** A result that says which server it comes from. */
export function identified(result: string, serverInfo: string): string {
  return withMeta(result, [[SERVER_INFO_KEY, serverInfo]]);
}

/** Whole sentences with which servers refuse a client without a capability, and which one that is. */
const REFUSALS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^client does not support (?:listing )?roots\b/i, ["roots"]],
  [/^client does not support sampling tools\b/i, ["sampling", "tools"]],
  [/^client does not support sampling\b/i, ["sampling"]],
  [/^client does not support url[- ](?:mode )?elicitation\b/i, ["elicitation", "url"]],
  [/^client does not support form[- ](?:mode )?elicitation\b/i, ["elicitation", "form"]],
  [/^client does not support elicitation\b/i, ["elicitation"]],
];

/** The capability for want of which a server refuses; undefined where it is something else. */
function missingCapability(
  { value }: RpcText,
  capabilities: Readonly<Record<string, unknown>>,
): unknown {
  const code = at(value, "error", "code");
  const sentence = code === URL_ELICITATION_REQUIRED
    ? "Client does not support url elicitation"
    : at(value, "error", "message");
  if (typeof sentence !== "string") return undefined;
  const told = sentence.replace(/^MCP error -?\d+: /, "");
  const path = REFUSALS.find(([pattern]) => pattern.test(told))?.[1];
  // What was declared cannot be what is missing.
  if (path === undefined || isRecord(at(capabilities, ...path))) return undefined;
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), {});
}
