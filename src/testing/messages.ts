/**
 * JSON-RPC messages that tests send.
 *
 * @module
 */

/** An `initialize` request of the session era. */
export function initialize(protocolVersion = "2025-11-25"): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion, capabilities: {}, clientInfo: { name: "test", version: "1" } },
  });
}

/** An `InitializeResult`. */
export function initializeResult(protocolVersion = "2025-11-25"): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    result: { protocolVersion, capabilities: {}, serverInfo: { name: "test", version: "1" } },
  });
}

/** A session-era `ping`, with the id written as given. */
export function ping(idText = "1"): string {
  return `{"jsonrpc":"2.0","id":${idText},"method":"ping"}`;
}

/** A notification of the session era. */
export const initialized = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

/** A request of 2026-07-28. */
export function modern(method: string, params: Record<string, unknown> = {}): string {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta } });
}
