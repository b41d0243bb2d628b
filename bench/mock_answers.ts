/**
 * What the mock upstream answers: a pure core, as small as an MCP server of the session era can be, and
 * under paths of their own one of 2026-07-28 (`mock_modern.ts`), and what has been asked for so far.
 */

import {
  CALL_TOOL,
  DRIP_TOOL,
  ENDLESS_TOOL,
  PROTOCOL_VERSION,
  STREAM_TOOL,
} from "./mcp_messages.ts";
import { COUNTS_PATH, type RequestCounts } from "./mock_counts.ts";
import {
  bounded,
  CALL_RESULT,
  failure,
  json,
  MAX_SERVICE_MS,
  type MockAnswer,
  result,
  type RpcRequest,
  SERVER,
  toolNamed,
  whole,
} from "./mock_messages.ts";
import { isModernPath, modernAnswer } from "./mock_modern.ts";

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
  readonly path: string;
  readonly sessionId: string | undefined;
  readonly body: string;
}

/** The sessions opened so far, how to name the next, and what was asked for. */
export interface MockState {
  readonly open: Set<string>;
  readonly nextId: () => string;
  readonly counts: RequestCounts;
}

const SERVER_INFO = {
  protocolVersion: PROTOCOL_VERSION,
  capabilities: { tools: {}, logging: {} },
  serverInfo: SERVER,
};

const TOOLS = [CALL_TOOL, STREAM_TOOL, DRIP_TOOL, ENDLESS_TOOL].map(toolNamed);

/** Decides the answer to one request. */
export function answerTo(request: MockRequest, state: MockState): MockAnswer {
  const { method, path, sessionId } = request;
  if (path === COUNTS_PATH) return json(state.counts.all());
  if (method !== "POST") state.counts.add(path, method);
  const isModern = isModernPath(path);
  if (method === "DELETE" && !isModern) {
    if (sessionId !== undefined) state.open.delete(sessionId);
    return whole(204, "No Content");
  }
  if (method === "GET" && !isModern) return listen(sessionId, state);
  if (method !== "POST") {
    const allowed = isModern ? "POST" : "GET, POST, DELETE";
    return whole(405, "Method Not Allowed", `allow: ${allowed}\r\n`);
  }
  let message: RpcRequest;
  try {
    message = JSON.parse(request.body) as RpcRequest;
  } catch {
    state.counts.add(path, "no JSON");
    return whole(400, "Bad Request");
  }
  state.counts.add(path, String(message.method));
  return isModern ? modernAnswer(message) : sessionAnswer(message, sessionId, state);
}

function sessionAnswer(
  message: RpcRequest,
  sessionId: string | undefined,
  state: MockState,
): MockAnswer {
  if (message.method === "initialize") return initialize(message, state);
  if (sessionId === undefined) return whole(400, "Bad Request");
  if (!state.open.has(sessionId)) return whole(404, "Not Found");
  if (message.id === undefined || message.method === undefined) return whole(202, "Accepted");
  if (message.method === "tools/call") return toolCall(message);
  if (message.method === "ping") return result(message.id, {});
  // Some gateways look before they forward.
  if (message.method === "tools/list") return result(message.id, { tools: TOOLS });
  return failure(message.id, { code: -32601, message: "Method not found" });
}

function listen(sessionId: string | undefined, { open }: MockState): MockAnswer {
  if (sessionId === undefined) return whole(400, "Bad Request");
  return open.has(sessionId) ? { kind: "idle" } : whole(404, "Not Found");
}

function initialize(message: RpcRequest, { open, nextId }: MockState): MockAnswer {
  if (open.size >= MAX_SESSIONS) return whole(503, "Service Unavailable");
  const id = nextId();
  open.add(id);
  return result(message.id, SERVER_INFO, 0, `mcp-session-id: ${id}\r\n`);
}

function toolCall(message: RpcRequest): MockAnswer {
  const { name, arguments: given } = message.params ?? {};
  if (name === CALL_TOOL) {
    return result(message.id, CALL_RESULT, bounded(given?.serviceMs, MAX_SERVICE_MS));
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
  return failure(message.id, { code: -32602, message: "Unknown tool" });
}
