/** What the mock upstream answers as a server of 2026-07-28, which has no sessions: pure. */

import { CALL_TOOL, META, MODERN_VERSION } from "./mcp_messages.ts";
import {
  bounded,
  CALL_RESULT,
  failure,
  MAX_SERVICE_MS,
  type MockAnswer,
  result,
  type RpcRequest,
  SERVER,
  toolNamed,
} from "./mock_messages.ts";

/** Under this path the mock is a modern server, under every other one it is one of the session era. */
export const MODERN_PATH = "/modern";

const SUPPORTED = [MODERN_VERSION];

const COMPLETE = { resultType: "complete", _meta: { [META.serverInfo]: SERVER } };

/** For an hour: what lists say is asked for once in a run. */
const CACHED = { ttlMs: 3_600_000, cacheScope: "public" };

const DISCOVERED = {
  ...COMPLETE,
  ...CACHED,
  supportedVersions: SUPPORTED,
  capabilities: { tools: {} },
};

const LISTED = { ...COMPLETE, ...CACHED, tools: [toolNamed(CALL_TOOL)] };

/** Whether requests of this path are those of a modern server. */
export function isModernPath(path: string): boolean {
  return path === MODERN_PATH || path.startsWith(`${MODERN_PATH}/`);
}

/** Decides the answer to one request: what does not name this revision is refused, `initialize` too. */
export function modernAnswer({ id, method, params }: RpcRequest): MockAnswer {
  const requested = params?._meta?.[META.protocolVersion] ?? params?.protocolVersion;
  if (requested !== MODERN_VERSION) {
    const data = { supported: SUPPORTED, requested: String(requested) };
    const error = { code: -32022, message: "Unsupported protocol version", data };
    return failure(id, error, "400 Bad Request");
  }
  if (method === "tools/call" && params?.name === CALL_TOOL) {
    const delayMs = bounded(params.arguments?.serviceMs, MAX_SERVICE_MS);
    return result(id, { ...COMPLETE, ...CALL_RESULT }, delayMs);
  }
  if (method === "tools/call") return failure(id, { code: -32602, message: "Unknown tool" });
  if (method === "tools/list") return result(id, LISTED);
  if (method === "server/discover") return result(id, DISCOVERED);
  return failure(id, { code: -32601, message: "Method not found" }, "404 Not Found");
}
