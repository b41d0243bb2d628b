/**
 * When a failed request may be sent again: the one place that decides (R60, R64).
 *
 * @module
 */

import { ProxyError } from "../errors.ts";

/** Methods that change nothing at the server (RFC 9110 section 9.2.1). */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/**
 * Requests of MCP that only read, or begin what nobody uses yet: to have one run twice changes nothing for
 * anybody. No list of them is in the specification; this one is as short as can be.
 *
 * - Results of these may be served from a cache (2026-07-28 server/utilities/caching): `server/discover`, the
 *   four lists, `resources/read`.
 * - `prompts/get` fills in a template (2025-11-25 server/prompts, "Getting a Prompt"), `ping` asks whether
 *   anybody is there (2025-11-25 basic/utilities/ping).
 * - `initialize` opens a session of which nobody knows the id but who got the answer (2025-11-25
 *   basic/transports, "Session Management").
 */
const SAFE_REQUESTS: ReadonlySet<string> = new Set([
  "initialize",
  "ping",
  "prompts/get",
  "prompts/list",
  "resources/list",
  "resources/read",
  "resources/templates/list",
  "server/discover",
  "tools/list",
]);

/** Failures of a connection; a deadline or a client that has gone is none. */
const CONNECTION_FAILURES: ReadonlySet<string> = new Set(["upstream_closed"]);

/**
 * Whether a request that failed may be sent once more, on a fresh connection: only when no byte of it
 * was sent, or its method is safe and no byte of an answer came.
 */
export function mayRetry(method: string, error: unknown): boolean {
  return isConnectionFailure(error) && mayRepeat(SAFE_METHODS.has(method), error);
}

/** Whether a connection failed in the middle of a request, and not the server behind it, as far as can be seen. */
export function isConnectionFailure(error: unknown): boolean {
  return error instanceof ProxyError && CONNECTION_FAILURES.has(error.kind);
}

/** Whether the JSON-RPC request with this method may run twice. */
export function isSafeRequest(method: string | undefined): boolean {
  return method !== undefined && SAFE_REQUESTS.has(method);
}

/**
 * Whether a call that failed may be made again, there or at another server that is the same to clients: it
 * was not sent, or it is safe and no byte of an answer came. Never what its client has given up.
 */
export function mayRepeat(safe: boolean, error: unknown): boolean {
  if (!(error instanceof ProxyError) || error.source !== "upstream") return false;
  return error.retrySafe || (safe && error.progress?.answerBegun === false);
}
