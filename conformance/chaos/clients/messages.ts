/**
 * The messages that clients of the chaos test send, and how answers are judged.
 *
 * @module
 */

import type { Call } from "../book.ts";
import { CallFailure } from "./field.ts";

/** A message of JSON-RPC as it came. */
export interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: {
    readonly progressToken?: unknown;
    readonly progress?: number;
    readonly data?: { readonly epoch?: unknown; readonly n?: unknown };
  };
  readonly result?: {
    readonly content?: readonly { readonly text?: string }[];
    readonly tools?: readonly unknown[];
  };
  readonly error?: { readonly code: number; readonly message: string };
}

/** The revision of clients with sessions. */
export const SESSION_REVISION = "2025-11-25";

/** The revision without sessions. */
export const MODERN_REVISION = "2026-07-28";

/** Longest and shortest time between two steps, in milliseconds. */
const PACE_MS = [10, 150] as const;

/** `initialize`, by a client whose name is the call's token. */
export function initialize({ token }: Call, protocolVersion = SESSION_REVISION): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion, capabilities: {}, clientInfo: { name: token, version: "1" } },
  });
}

/** Says that a client is ready. */
export const initialized = JSON.stringify({
  jsonrpc: "2.0",
  method: "notifications/initialized",
});

/** The arguments of a tool's call. */
export function argumentsOf(call: Call): Record<string, unknown> {
  if (call.kind !== "steps") return { token: call.token };
  const [low, high] = PACE_MS;
  const paceMs = low + (Number(call.token.split(".")[2]) * 37) % (high - low);
  return { token: call.token, steps: call.steps, paceMs };
}

/** A call as a request; `_meta` is what else stands there. */
export function request(call: Call, id: number, _meta: Record<string, unknown> = {}): string {
  const params = call.kind === "list" ? { _meta: { ..._meta, "chaos/token": call.token } } : {
    name: call.kind,
    arguments: argumentsOf(call),
    _meta: { ..._meta, ...(call.kind === "steps" && { progressToken: id }) },
  };
  return JSON.stringify({ jsonrpc: "2.0", id, method: methodOf(call), params });
}

/** The method of a call. */
export function methodOf({ kind }: Call): string {
  return kind === "list" ? "tools/list" : "tools/call";
}

/** What `_meta` of 2026-07-28 says. */
export const MODERN_META = {
  "io.modelcontextprotocol/protocolVersion": MODERN_REVISION,
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** The header fields of a request of 2026-07-28. */
export function modernFields(method: string, name?: string): Record<string, string> {
  return {
    "mcp-protocol-version": MODERN_REVISION,
    "mcp-method": method,
    ...(name !== undefined && { "mcp-name": name }),
  };
}

/**
 * Notes what a message is to a call.
 *
 * @returns whether it was the answer
 * @throws {CallFailure} where it is an error, or not this call's answer
 */
export function take(call: Call, id: number, message: Message): boolean {
  if (message.method === "notifications/progress") {
    if (message.params?.progressToken !== id) {
      throw new CallFailure(`progress of another call: ${JSON.stringify(message)}`);
    }
    call.progress.push(message.params.progress ?? -1);
    return false;
  }
  if (message.method !== undefined) return false;
  if (message.error !== undefined) {
    throw new CallFailure(`error ${message.error.code}: ${message.error.message}`);
  }
  if (message.id !== id) throw new CallFailure(`the answer has the id ${message.id}, not ${id}`);
  const isRight = call.kind === "list"
    ? message.result?.tools?.length === 2
    : message.result?.content?.[0]?.text === call.token;
  if (!isRight) throw new CallFailure(`another answer: ${JSON.stringify(message).slice(0, 200)}`);
  return true;
}
