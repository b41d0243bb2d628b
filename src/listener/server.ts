/**
 * What a server for clients is, and what it is given; two ways to be one stand beside it.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ProxyError } from "../errors.ts";
import type { Handler } from "../http/mod.ts";

/** Bounds of a request body. */
export interface BodyLimits {
  /** Largest body, in bytes. */
  readonly maxRequestBytes: number;
  /** Longest time for a body, in milliseconds, from when it is asked for. */
  readonly requestBodyTimeoutMs: number;
}

/** What clients may use of a server. */
export interface ServerLimits extends BodyLimits {
  /** Connections at one time. */
  readonly maxConnections: number;
  /** Longest time from the first byte of a request to the end of its head, in milliseconds. */
  readonly requestHeadTimeoutMs: number;
  /** How long a connection may stay without a request, in milliseconds. */
  readonly connectionIdleTimeoutMs: number;
  /** How long a client may take nothing of what is written to it, in milliseconds. */
  readonly clientWriteTimeoutMs: number;
}

/** What a server tells, for the log. */
export interface ServerEvents {
  /** A request was refused before it reached the handler. */
  refused(error: ProxyError): void;
  /** The body of an answer broke off. */
  cutShort(error: unknown): void;
  /** There are as many connections as there may be. */
  full(): void;
  /** A connection could not be taken. */
  acceptFailed(error: unknown): void;
}

/** What a server is given. */
export interface ServerOptions {
  /** Where to listen: a host name or an address without brackets. */
  readonly hostname: string;
  /** Where to listen; 0 for any free port. */
  readonly port: number;
  /** Answers the requests. */
  readonly handler: Handler;
  /** What clients may use. */
  readonly limits: ServerLimits;
  /** Time. */
  readonly clock: Clock;
  /** What is told. */
  readonly events: ServerEvents;
  /**
   * Whether clients are to connect anew, so that they come to another instance. Asked at each answer, which
   * then says `Connection: close`; never so where it is left out.
   */
  readonly isDraining?: (() => boolean) | undefined;
}

/** A server that listens. */
export interface HttpServer {
  /** Where. */
  readonly address: Deno.NetAddr;
  /** How many connections are open now; null where it does not know. */
  readonly connections: number | null;
  /** Takes no more connections, closes those without a request, and resolves when the others are done. */
  shutdown(): Promise<void>;
  /** Closes every connection there and then, as far as the server can. */
  cut(): void;
}

/** Listens, or throws what the system says against it. */
export type ServerFactory = (options: ServerOptions) => HttpServer;
