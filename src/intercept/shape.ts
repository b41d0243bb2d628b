/**
 * Where things stand in MCP messages, for the built-in interceptors. Pure.
 *
 * @module
 */

import { ERROR_TABLE } from "../errors.ts";
import { isObject } from "./message.ts";
import type { AnswerNow, InterceptContext, JsonRpcMessage } from "./types.ts";

/** What a server offers under a name or an address. */
export type Offer = "tools" | "prompts" | "resources";

/** A member of the result of a list method. */
export interface ListShape {
  /** The method. */
  readonly method: string;
  /** The member of its result that is the list. */
  readonly member: string;
  /** The member of each entry that names it. */
  readonly key: string;
  /** What is listed. */
  readonly offer: Offer;
}

/** The lists there are, all revisions. */
export const LISTS: readonly ListShape[] = [
  { method: "tools/list", member: "tools", key: "name", offer: "tools" },
  { method: "prompts/list", member: "prompts", key: "name", offer: "prompts" },
  { method: "resources/list", member: "resources", key: "uri", offer: "resources" },
  {
    method: "resources/templates/list",
    member: "resourceTemplates",
    key: "uriTemplate",
    offer: "resources",
  },
];

/** The member of `params` that names what a method asks for. */
export const USES: Readonly<Record<string, { readonly key: string; readonly offer: Offer }>> = {
  "tools/call": { key: "name", offer: "tools" },
  "prompts/get": { key: "name", offer: "prompts" },
  "resources/read": { key: "uri", offer: "resources" },
  "resources/subscribe": { key: "uri", offer: "resources" },
  "resources/unsubscribe": { key: "uri", offer: "resources" },
};

/** What a message asks for, where it is one of `USES`. */
export function useOf(
  message: JsonRpcMessage,
): { readonly offer: Offer; readonly key: string; readonly name: unknown } | undefined {
  const { method } = message;
  if (typeof method !== "string" || !Object.hasOwn(USES, method)) return undefined;
  const use = USES[method]!;
  return { ...use, name: paramsOf(message)[use.key] };
}

/** `params`, or an empty object. */
export function paramsOf(message: JsonRpcMessage): Readonly<Record<string, unknown>> {
  return Object.hasOwn(message, "params") && isObject(message.params) ? message.params : {};
}

/**
 * A response with its lists changed: each entry through `change`, which takes one out by giving back
 * undefined. The same object where nothing changed.
 *
 * Where the method is not known, as on a resumed stream, every list is looked for by its look.
 */
export function changeLists(
  message: JsonRpcMessage,
  context: InterceptContext,
  change: (entry: Readonly<Record<string, unknown>>, list: ListShape) => unknown,
): JsonRpcMessage {
  const { result } = message;
  if (!isObject(result)) return message;
  const changed: Record<string, unknown> = {};
  for (const list of LISTS) {
    if (context.method !== undefined && context.method !== list.method) continue;
    const entries = Object.hasOwn(result, list.member) ? result[list.member] : undefined;
    if (!Array.isArray(entries)) continue;
    const kept = entries.map((entry) => isObject(entry) ? change(entry, list) : entry);
    if (kept.every((entry, at) => entry === entries[at])) continue;
    changed[list.member] = kept.filter((entry) => entry !== undefined);
  }
  if (Object.keys(changed).length === 0) return message;
  return { ...message, result: { ...result, ...changed } };
}

/** JSON-RPC's "Invalid params", which the specification has for names that do not exist. */
const INVALID_PARAMS = ERROR_TABLE.invalid_params.code;

/** "Resource not found" up to 2025-11-25; 2026-07-28 has -32602 (server/resources "Error Handling"). */
const SESSION_RESOURCE_NOT_FOUND = -32002;

const MAX_SHOWN_CHARACTERS = 256;

/** The error that a server gives for what it does not have, as the revision at hand has it. */
export function unknownOffer(offer: Offer, name: unknown, context: InterceptContext): AnswerNow {
  const shown = typeof name === "string" ? name.slice(0, MAX_SHOWN_CHARACTERS) : "(no name)";
  if (offer !== "resources") {
    // server/tools "Error Handling", server/prompts "Error Handling", all revisions.
    const message = `Unknown ${offer === "tools" ? "tool" : "prompt"}: ${shown}`;
    return { answer: { error: { code: INVALID_PARAMS, message } } };
  }
  const code = context.era === "modern" ? INVALID_PARAMS : SESSION_RESOURCE_NOT_FOUND;
  return { answer: { error: { code, message: "Resource not found", data: { uri: shown } } } };
}
