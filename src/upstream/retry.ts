/**
 * When a failed request may be sent again: the one place that decides (R60, R64).
 *
 * @module
 */

import { ProxyError } from "../errors.ts";

/** Methods that change nothing at the server (RFC 9110 section 9.2.1). */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** Failures of a connection; a deadline or a client that has gone is none. */
const CONNECTION_FAILURES: ReadonlySet<string> = new Set(["upstream_closed"]);

/**
 * Whether a request that failed may be sent once more, on a fresh connection: only when no byte of it
 * was sent, or its method is safe and no byte of an answer came.
 */
export function mayRetry(method: string, error: unknown): boolean {
  if (!(error instanceof ProxyError) || !CONNECTION_FAILURES.has(error.kind)) return false;
  const { progress } = error;
  if (progress === undefined) return false;
  return !progress.requestSent || (SAFE_METHODS.has(method) && !progress.answerBegun);
}
