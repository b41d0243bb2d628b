/**
 * An upstream that speaks Streamable HTTP, revisions 2025-03-26 to 2026-07-28.
 *
 * @module
 */

import { EVENT_STREAM, isEventStream } from "../sse/mod.ts";
import type { HttpAnswer, HttpClient, HttpTimeouts } from "./http_client.ts";
import { requestFields, responseFields, withDashes } from "./fields.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "./upstream.ts";

/** Where the server is and how it is spoken to. */
export interface StreamableHttpOptions {
  /** Path of the MCP endpoint. */
  readonly path: string;
  /** The configured query with its `?`, or empty. */
  readonly query: string;
  /** Fields that replace the client's. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the client's credentials go upstream. */
  readonly forwardCredentials: boolean;
  /** Fields, in lower case, that hold credentials for the proxy itself and never go upstream (R93). */
  readonly withheld: readonly string[];
  /** Deadlines. */
  readonly timeouts: HttpTimeouts;
}

const ACCEPT_ANSWER = "application/json, text/event-stream";

/** An upstream on `client`, which it owns and closes. */
export function streamableHttpUpstream(
  client: HttpClient,
  options: StreamableHttpOptions,
): Upstream {
  const fixed = fixedFields(options.headers);
  const replaced = new Set(Object.keys(options.headers).map((name) => name.toLowerCase()));
  const withheld = withDashes(options.withheld);

  async function send(
    method: "POST" | "GET" | "DELETE",
    call: UpstreamCall,
    accept: string,
    body: Uint8Array | null,
  ): Promise<UpstreamAnswer> {
    const answer = await client.send({
      method,
      path: targetOf(options, call.query),
      fields: [
        ...clientFields(method, call, options, replaced, withheld),
        "accept",
        accept,
        ...fixed,
      ],
      body,
      signal: call.signal,
      timeouts: options.timeouts,
      fresh: call.fresh,
    });
    return toAnswer(answer, options.forwardCredentials);
  }

  return {
    exchange: (call, body) => send("POST", call, ACCEPT_ANSWER, body),
    notify: (call, body) => send("POST", call, ACCEPT_ANSWER, body),
    listen: (call) => send("GET", call, EVENT_STREAM, null),
    terminate: (call) => send("DELETE", call, ACCEPT_ANSWER, null),
    close: () => client.close(),
  };
}

/** The client's query is passed on, unless the configured URL has one: the config decides (R95). */
function targetOf(options: StreamableHttpOptions, query: string): string {
  return options.path + (options.query === "" ? query : options.query);
}

function fixedFields(headers: Readonly<Record<string, string>>): string[] {
  const fields = ["accept-encoding", "identity"];
  for (const [name, value] of Object.entries(headers)) fields.push(name.toLowerCase(), value);
  return fields;
}

function clientFields(
  method: string,
  call: UpstreamCall,
  options: StreamableHttpOptions,
  replaced: ReadonlySet<string>,
  withheld: ReadonlySet<string>,
): string[] {
  const fields = requestFields(call.headers, options.forwardCredentials, withheld);
  const hasOwnId = call.lastEventId !== undefined;
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!;
    if (name === "accept" || replaced.has(name)) continue;
    if (hasOwnId && name === "last-event-id") continue;
    // A stream that answers a POST is resumed with the fields of that POST.
    if (hasOwnId && method === "GET" && name === "content-type") continue;
    kept.push(name, fields[at + 1]!);
  }
  if (typeof call.lastEventId === "string") kept.push("last-event-id", call.lastEventId);
  if (call.sessionId !== undefined) kept.push("mcp-session-id", call.sessionId);
  return kept;
}

function toAnswer(answer: HttpAnswer, forwardCredentials: boolean): UpstreamAnswer {
  const headers = responseFields(answer.fields, forwardCredentials);
  const sessionId = answer.fields.first("mcp-session-id");
  return {
    status: answer.status,
    headers,
    sessionId,
    kind: kindOf(headers.get("content-type")),
    body: answer.body,
  };
}

function kindOf(contentType: string | null): "json" | "sse" | "other" {
  if (isEventStream(contentType)) return "sse";
  const type = (contentType ?? "").split(";", 1)[0]!.trim().toLowerCase();
  return type === "application/json" ? "json" : "other";
}
