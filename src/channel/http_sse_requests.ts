/**
 * What the requests of a channel over HTTP+SSE carry, and where the server is. Pure.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { FieldReader } from "../http/mod.ts";
import { type HttpTarget, type HttpTimeouts, requestFields, withDashes } from "../upstream/mod.ts";

/** Where the server is and how it is spoken to. */
export interface HttpSseOptions {
  /** Where it listens: the origin that its endpoint must have. */
  readonly target: HttpTarget;
  /** Path of its stream. */
  readonly path: string;
  /** The configured query with its `?`, or empty. */
  readonly query: string;
  /** Fields that replace the client's. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the client's credentials go upstream. */
  readonly forwardCredentials: boolean;
  /** Told of each challenge: path and query of the server's metadata, where it names some at its own origin. */
  readonly onChallenge?: ((metadata: string | undefined) => void) | undefined;
  /** Fields, in lower case, that hold credentials for the proxy itself and never go upstream (R93). */
  readonly withheld: readonly string[];
  /** Deadlines of each request; `streamIdleMs` is the longest silence of the stream. */
  readonly timeouts: HttpTimeouts;
  /** From the head of the stream to its `endpoint` event, in milliseconds. */
  readonly endpointTimeoutMs: number;
  /** The largest event, in bytes. */
  readonly maxEventBytes: number;
  /** Time. */
  readonly clock: Clock;
}

/** The address of the stream, against which the endpoint is resolved. */
export function baseOf({ target, path, query }: HttpSseOptions): URL {
  const scheme = target.kind === "tcp" && target.tls !== undefined ? "https" : "http";
  return new URL(`${scheme}://${target.host}${path}${query}`);
}

/** The header fields of every request in the name of whose `headers` they are. */
export function ownFields(options: HttpSseOptions, headers: FieldReader): string[] {
  const configured = Object.entries(options.headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const);
  const withheld = withDashes([...options.withheld, ...configured.map(([name]) => name)]);
  const chosen = requestFields(headers, options.forwardCredentials, withheld);
  const fields: string[] = [];
  for (let at = 0; at < chosen.length; at += 2) {
    const name = chosen[at]!;
    if (!isOfOneRequest(name)) fields.push(name, chosen[at + 1]!);
  }
  return [...fields, "accept-encoding", "identity", ...configured.flat()];
}

/**
 * Whether a field says something of the one request that the channel is opened for, or is one of Streamable
 * HTTP, which a server of 2024-11-05 does not know.
 */
function isOfOneRequest(name: string): boolean {
  return name === "accept" || name === "last-event-id" || name === "idempotency-key" ||
    name.startsWith("content-") || name.startsWith("mcp-");
}
