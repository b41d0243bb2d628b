/**
 * Scripts that answer as ordinary servers do, for checks that are about something else.
 *
 * @module
 */

import type { MockRequest, MockScript } from "./mock.ts";
import type { Reply } from "./reply.ts";

/** A JSON-RPC message as far as scripts look at it. */
export interface RpcMessage {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** The JSON-RPC message in a request; undefined where it holds none, or a batch. */
export function rpcOf(request: MockRequest): RpcMessage | undefined {
  const { message } = request;
  if (typeof message !== "object" || message === null || Array.isArray(message)) return undefined;
  return message as RpcMessage;
}

/** The method of the JSON-RPC message in a request. */
export function rpcMethod(request: MockRequest): string | undefined {
  return rpcOf(request)?.method;
}

/** The answer to a request: its id, and this result. */
export function resultFor(request: MockRequest, result: unknown): unknown {
  return { jsonrpc: "2.0", id: rpcOf(request)?.id ?? null, result };
}

/** How a session-era server is played. */
export interface SessionServerOptions {
  /** The ids it gives its sessions, in order, the last one again and again; null for none. */
  readonly sessionIds?: readonly string[] | null;
  /** What answers a method instead of the ordinary answer; `GET`, `DELETE` too. */
  readonly on?: Readonly<Record<string, MockScript>>;
}

const TOOLS = [{ name: "echo", inputSchema: { type: "object" } }];
const CAPABILITIES = { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} };
const SERVER_INFO = { name: "conformance-mock", version: "1.0.0" };

/**
 * A server of 2025-03-26 to 2025-11-25: takes `initialize` with the revision that is asked for,
 * answers lists and `tools/call` with JSON, notifications with 202, GET with 405, DELETE with 200.
 */
export function sessionServer(options: SessionServerOptions = {}): MockScript {
  const { sessionIds = [crypto.randomUUID()], on = {} } = options;
  let sessions = 0;
  const initialize: MockScript = (request, reply) => {
    const id = sessionIds?.[Math.min(sessions++, sessionIds.length - 1)];
    const protocolVersion = rpcOf(request)?.params?.["protocolVersion"] ?? "2025-11-25";
    const result = { protocolVersion, capabilities: CAPABILITIES, serverInfo: SERVER_INFO };
    const fields: [string, string][] = id === undefined ? [] : [["mcp-session-id", id]];
    return reply.json(resultFor(request, result), 200, fields);
  };
  const table: Readonly<Record<string, MockScript>> = { initialize, ...ANSWERS, ...on };
  return (request, reply) => dispatch(table, request, reply);
}

/** A server of 2026-07-28: answers discover, lists and `tools/call` with JSON, GET and DELETE 405. */
export function modernServer(on: Readonly<Record<string, MockScript>> = {}): MockScript {
  const discover: MockScript = (request, reply) =>
    reply.json(resultFor(request, {
      resultType: "complete",
      supportedVersions: ["2026-07-28"],
      capabilities: CAPABILITIES,
      ttlMs: 0,
      cacheScope: "private",
      _meta: { "io.modelcontextprotocol/serverInfo": SERVER_INFO },
    }));
  const table = { ...ANSWERS, "server/discover": discover, DELETE: notAllowed, ...on };
  return (request, reply) =>
    isWithoutMeta(request) ? reply.json(noMeta(request), 400) : dispatch(table, request, reply);
}

const PROTOCOL_VERSION_KEY = "io.modelcontextprotocol/protocolVersion";

/**
 * Whether a request is one that servers of 2026-07-28 must refuse with 400 and -32602 (basic/index "_meta"), as
 * that of a proxy which takes the server for one of sessions: by that it knows better.
 */
function isWithoutMeta(request: MockRequest): boolean {
  const { method, id, params } = rpcOf(request) ?? {};
  const meta = params?.["_meta"] ?? {};
  return method !== undefined && id !== undefined && !Object.hasOwn(meta, PROTOCOL_VERSION_KEY);
}

function noMeta(request: MockRequest): unknown {
  const message = `Invalid params: no ${PROTOCOL_VERSION_KEY} in _meta`;
  return { jsonrpc: "2.0", id: rpcOf(request)?.id ?? null, error: { code: -32602, message } };
}

const notAllowed: MockScript = (_, reply) => reply.empty(405, [["allow", "POST"]]);

const ANSWERS: Readonly<Record<string, MockScript>> = {
  GET: notAllowed,
  DELETE: (_, reply) => reply.empty(200),
  ping: (request, reply) => reply.json(resultFor(request, {})),
  "tools/list": (request, reply) =>
    reply.json(resultFor(request, {
      resultType: "complete",
      tools: TOOLS,
      ttlMs: 0,
      cacheScope: "private",
    })),
  "tools/call": (request, reply) =>
    reply.json(resultFor(request, {
      resultType: "complete",
      content: [{ type: "text", text: JSON.stringify(rpcOf(request)?.params?.["arguments"]) }],
    })),
};

async function dispatch(
  table: Readonly<Record<string, MockScript>>,
  request: MockRequest,
  reply: Reply,
): Promise<void> {
  const message = rpcOf(request);
  const key = request.method === "POST" ? message?.method ?? "" : request.method;
  const script = table[key];
  if (script !== undefined) return await script(request, reply);
  const asks = message?.method !== undefined && message.id !== undefined;
  if (request.method === "POST" && !asks) return await reply.empty(202);
  const error = { code: -32601, message: `no such method: ${key}` };
  await reply.json({ jsonrpc: "2.0", id: message?.id ?? null, error });
}
