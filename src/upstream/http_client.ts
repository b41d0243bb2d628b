/**
 * One HTTP exchange with an upstream: the small interface behind which the connections live.
 *
 * @module
 */

import type { UpstreamBody } from "./upstream.ts";

/** Deadlines of one exchange, in milliseconds. */
export interface HttpTimeouts {
  /** From the call to the head of the answer, connecting included. */
  readonly headersMs: number;
  /** The longest silence inside a body that is no event stream. */
  readonly bodyIdleMs: number;
  /** The longest silence inside an event stream. */
  readonly streamIdleMs: number;
}

/** A request, ready to be sent. */
export interface HttpRequest {
  /** The HTTP method. */
  readonly method: "POST" | "GET" | "DELETE";
  /** Path and query. */
  readonly path: string;
  /** Names and values in turn; what goes on the wire beside host and content-length. */
  readonly fields: readonly string[];
  /** The whole body, or null for none. */
  readonly body: Uint8Array | null;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Deadlines. */
  readonly timeouts: HttpTimeouts;
}

/** The head of an answer. */
export interface HttpAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** Names in lower case; a repeated field stands as often as it came. */
  readonly fields: readonly (readonly [string, string])[];
  /** The body, still to be read. */
  readonly body: UpstreamBody;
}

/**
 * Connections to one origin.
 *
 * A request is sent at most once, except that a GET may be sent again when a reused connection
 * turned out to be closed before any byte of an answer (R60). Redirects are not followed (R70),
 * bodies are not decoded (R56).
 */
export interface HttpClient {
  /**
   * Sends a request and resolves with the head of the answer.
   *
   * @throws {ProxyError} `upstream_saturated`, `upstream_unreachable`, `upstream_connect_timeout`, `upstream_closed`,
   * `upstream_protocol`, `upstream_timeout`, or `client_closed` when the signal was aborted.
   */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Closes all connections, those in use too. */
  close(): Promise<void>;
}
