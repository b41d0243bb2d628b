/**
 * One HTTP exchange with an upstream: the small interface behind which the connections live.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { CancelSignal, FieldList } from "../http/mod.ts";
import type { UpstreamBody } from "./upstream.ts";

/** Deadlines of one exchange, in milliseconds. */
export interface HttpTimeouts {
  /** From the call to the head of the answer, waiting for a connection and connecting included. */
  readonly headersMs: number;
  /** From the call to the end of an answer that is no event stream. */
  readonly totalMs: number;
  /** The longest silence inside a body that is no event stream. */
  readonly bodyIdleMs: number;
  /** The longest silence inside an event stream. */
  readonly streamIdleMs: number;
}

/** A request, ready to be sent. */
export interface HttpRequest {
  /** The HTTP method. */
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Names and values in turn; what goes on the wire beside host and content-length. */
  readonly fields: readonly string[];
  /** The same as lines of a head, where they are at hand: checked, each with its CRLF. */
  readonly lines?: string | undefined;
  /** The whole body, or null for none. */
  readonly body: Uint8Array | null;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: CancelSignal;
  /** Deadlines. */
  readonly timeouts: HttpTimeouts;
  /** Whether no connection that was kept may serve, as far as a new one can be had. */
  readonly fresh?: boolean | undefined;
  /**
   * Told an answer whose body came whole with its head, ahead of what is done to the connection: the exchange
   * resolves with it afterwards. Never throws.
   */
  readonly onWhole?: ((answer: HttpAnswer) => void) | undefined;
}

/** The head of an answer. */
export interface HttpAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The header fields; a repeated one stands as often as it came. */
  readonly fields: FieldList;
  /** The body, still to be read. */
  readonly body: UpstreamBody;
}

/** How the connections to a target are secured. */
export interface TlsOptions {
  /** Authorities trusted beside the usual ones, in PEM. */
  readonly caCerts: readonly string[];
  /** The client's certificate chain, in PEM. */
  readonly cert: string | undefined;
  /** The key of the client's certificate, in PEM. */
  readonly key: string | undefined;
}

/** Where a server listens. */
export type HttpTarget =
  | {
    readonly kind: "tcp";
    readonly hostname: string;
    readonly port: number;
    /** The address to dial in place of what `hostname` resolves to; certificates are held against `hostname`. */
    readonly address?: string | undefined;
    /** What the Host field says. */
    readonly host: string;
    /** Absent for plain HTTP. */
    readonly tls?: TlsOptions;
  }
  | { readonly kind: "unix"; readonly path: string; readonly host: string };

/** How connections are made and kept. */
export interface HttpClientOptions {
  /** Where the server listens. */
  readonly target: HttpTarget;
  /** Longest time to connect, TLS included, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Connections for calls at one time. */
  readonly maxConnections: number;
  /** Connections that carry an event stream at one time, beside those for calls. */
  readonly maxStreams: number;
  /** Requests that may wait for a connection. */
  readonly maxQueued: number;
  /** Longest wait for a connection, in milliseconds. */
  readonly queueTimeoutMs: number;
  /** How long an unused connection is kept, in milliseconds; less where the server says so. */
  readonly keepAliveMs: number;
  /** Time. */
  readonly clock: Clock;
}

/**
 * Connections to one target.
 *
 * A request is sent at most once, except as `mayRetry` allows. Redirects are not followed (R70), bodies
 * are not decoded (R56).
 */
export interface HttpClient {
  /**
   * Sends a request and resolves with the head of the answer.
   *
   * @throws {ProxyError} `upstream_saturated`, `upstream_unreachable`, `upstream_connect_timeout`,
   * `upstream_closed`, `upstream_protocol`, `upstream_timeout`, or `client_closed` when the signal
   * was aborted; with `progress`, which says what had gone over the wire by then.
   */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Closes all connections, those in use too. */
  close(): Promise<void>;
}

/** Makes a client for a target. */
export type HttpClientFactory = (options: HttpClientOptions) => HttpClient;
