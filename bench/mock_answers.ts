/**
 * What the mock upstream answers: a pure core, as small as an MCP server of the session era can be.
 */

import {
  CALL_TOOL,
  DRIP_TOOL,
  ENDLESS_TOOL,
  PROTOCOL_VERSION,
  STREAM_TOOL,
} from "./mcp_messages.ts";

/** Longest service time a caller may ask for. */
export const MAX_SERVICE_MS = 10_000;

/** Most events a caller may ask for in one stream. */
export const MAX_EVENTS = 1_000_000;

/** Largest write a caller may ask for in a stream. */
export const MAX_WRITE_BYTES = 1024 * 1024;

/** Largest event a caller may ask for in chunks of one byte. */
export const MAX_DRIPPED_BYTES = 64 * 1024 * 1024;

/** Sessions held; a bench opens a few hundred. */
export const MAX_SESSIONS = 10_000;

/** The parts of a request that decide its answer. */
export interface MockRequest {
  readonly method: string;
  readonly sessionId: string | undefined;
  readonly body: string;
}

/**
 * A whole HTTP answer after a delay, an event stream, one event in chunks of one byte, events without
 * end, or a stream that says one thing and is silent.
 */
export type MockAnswer =
  | { readonly kind: "whole"; readonly message: string; readonly delayMs: number }
  | {
    readonly kind: "stream";
    readonly id: unknown;
    readonly events: number;
    readonly writeBytes: number;
  }
  | { readonly kind: "drip"; readonly id: unknown; readonly eventBytes: number }
  | { readonly kind: "endless" }
  | { readonly kind: "idle" };

/** The sessions opened so far, and how to name the next. */
export interface Sessions {
  readonly open: Set<string>;
  readonly nextId: () => string;
}

const SERVER_INFO = {
  protocolVersion: PROTOCOL_VERSION,
  capabilities: { tools: {}, logging: {} },
  serverInfo: { name: "switchyard-bench-mock", version: "1" },
};

/** Filler that brings the answer of a call to some 300 bytes. */
const CALL_TEXT = "The quick brown fox jumps over the lazy dog. ".repeat(5).trim();

interface RpcRequest {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: {
    readonly name?: unknown;
    readonly arguments?: {
      readonly serviceMs?: unknown;
      readonly events?: unknown;
      readonly writeBytes?: unknown;
      readonly eventBytes?: unknown;
    };
  };
}

const TOOLS = [CALL_TOOL, STREAM_TOOL, DRIP_TOOL, ENDLESS_TOOL]
  .map((name) => ({ name, inputSchema: { type: "object" } }));

/** Decides the answer to one request. */
export function answerTo(request: MockRequest, sessions: Sessions): MockAnswer {
  if (request.method === "DELETE") {
    if (request.sessionId !== undefined) sessions.open.delete(request.sessionId);
    return whole(204, "No Content");
  }
  if (request.method === "GET") return listen(request.sessionId, sessions);
  if (request.method !== "POST") {
    return whole(405, "Method Not Allowed", "allow: GET, POST, DELETE\r\n");
  }
  let message: RpcRequest;
  try {
    message = JSON.parse(request.body) as RpcRequest;
  } catch {
    return whole(400, "Bad Request");
  }
  if (message.method === "initialize") return initialize(message, sessions);
  if (request.sessionId === undefined) return whole(400, "Bad Request");
  if (!sessions.open.has(request.sessionId)) return whole(404, "Not Found");
  if (message.id === undefined || message.method === undefined) return whole(202, "Accepted");
  if (message.method === "tools/call") return toolCall(message);
  if (message.method === "ping") return result(message.id, {});
  // Some gateways look before they forward.
  if (message.method === "tools/list") return result(message.id, { tools: TOOLS });
  return json({
    jsonrpc: "2.0",
    id: message.id,
    error: { code: -32601, message: "Method not found" },
  });
}

function listen(sessionId: string | undefined, sessions: Sessions): MockAnswer {
  if (sessionId === undefined) return whole(400, "Bad Request");
  return sessions.open.has(sessionId) ? { kind: "idle" } : whole(404, "Not Found");
}

function initialize(message: RpcRequest, sessions: Sessions): MockAnswer {
  if (sessions.open.size >= MAX_SESSIONS) return whole(503, "Service Unavailable");
  const id = sessions.nextId();
  sessions.open.add(id);
  return result(message.id, SERVER_INFO, 0, `mcp-session-id: ${id}\r\n`);
}

function toolCall(message: RpcRequest): MockAnswer {
  const { name, arguments: given } = message.params ?? {};
  if (name === CALL_TOOL) {
    const content = [{ type: "text", text: CALL_TEXT }];
    return result(
      message.id,
      { content, isError: false },
      bounded(given?.serviceMs, MAX_SERVICE_MS),
    );
  }
  if (name === STREAM_TOOL) {
    const events = bounded(given?.events, MAX_EVENTS);
    const writeBytes = bounded(given?.writeBytes, MAX_WRITE_BYTES);
    return { kind: "stream", id: message.id, events, writeBytes };
  }
  if (name === DRIP_TOOL) {
    const eventBytes = bounded(given?.eventBytes, MAX_DRIPPED_BYTES);
    return { kind: "drip", id: message.id, eventBytes };
  }
  if (name === ENDLESS_TOOL) return { kind: "endless" };
  return json({ jsonrpc: "2.0", id: message.id, error: { code: -32602, message: "Unknown tool" } });
}

function bounded(value: unknown, most: number): number {
  return typeof value === "number" && value >= 0 ? Math.min(value, most) : 0;
}

function result(id: unknown, value: unknown, delayMs = 0, fields = ""): MockAnswer {
  return json({ jsonrpc: "2.0", id, result: value }, delayMs, fields);
}

function json(value: unknown, delayMs = 0, fields = ""): MockAnswer {
  const body = JSON.stringify(value);
  // Every body is ASCII, so its length in characters is its length in bytes.
  return {
    kind: "whole",
    message: "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" +
      `${fields}content-length: ${body.length}\r\n\r\n${body}`,
    delayMs,
  };
}

function whole(status: number, reason: string, fields = ""): MockAnswer {
  const length = status === 204 ? "" : "content-length: 0\r\n";
  return {
    kind: "whole",
    message: `HTTP/1.1 ${status} ${reason}\r\n${fields}${length}\r\n`,
    delayMs: 0,
  };
}
