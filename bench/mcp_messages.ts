/**
 * The MCP messages the bench sends, encoded once: a call costs the client seven bytes of patching
 * and one write.
 */

/** The protocol revision spoken, of the session era. */
export const PROTOCOL_VERSION = "2025-11-25";

/** The protocol revision without sessions. */
export const MODERN_VERSION = "2026-07-28";

/** What a message of that revision says of itself in `_meta` (2026-07-28 basic/index, `_meta`). */
export const META = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  serverInfo: "io.modelcontextprotocol/serverInfo",
} as const;

const CLIENT_INFO = { name: "switchyard-bench", version: "1" };

/** Tool of the mock that answers with JSON, after `serviceMs`. */
export const CALL_TOOL = "bench_call";

/** Tool of the mock that streams `events` notifications, some `writeBytes` in each write. */
export const STREAM_TOOL = "bench_stream";

/** Tool of the mock that sends one notification of `eventBytes` in chunks of one byte. */
export const DRIP_TOOL = "bench_drip";

/** Tool of the mock that streams notifications until the client goes. */
export const ENDLESS_TOOL = "bench_endless";

/** First request id of a client; all ids have as many digits as this. */
export const FIRST_REQUEST_ID = 1_000_000;

/** Last request id of the same width: the bound on the calls of one client. */
export const LAST_REQUEST_ID = 9_999_999;

/** Where requests go. */
export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
  readonly path: string;
}

/** The endpoint of an `http:` URL. */
export function endpointOf(url: URL): Endpoint {
  return {
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || "80"),
    path: url.pathname + url.search,
  };
}

const encoder = new TextEncoder();

function startOf(method: string, { hostname, port, path }: Endpoint): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${method} ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\n`;
}

function sessionFields(sessionId: string | undefined): string {
  if (sessionId === undefined) return "";
  return `mcp-protocol-version: ${PROTOCOL_VERSION}\r\nmcp-session-id: ${sessionId}\r\n`;
}

/** A GET for the stream on which the server speaks first. */
export function getBytes(endpoint: Endpoint, sessionId: string | undefined): Uint8Array {
  const start = startOf("GET", endpoint);
  return encoder.encode(`${start}accept: text/event-stream\r\n${sessionFields(sessionId)}\r\n`);
}

/** A DELETE, which ends a session. */
export function deleteBytes(endpoint: Endpoint, sessionId: string | undefined): Uint8Array {
  return encoder.encode(`${startOf("DELETE", endpoint)}${sessionFields(sessionId)}\r\n`);
}

/** A whole POST: head and JSON body. */
export function postBytes(
  endpoint: Endpoint,
  body: string,
  sessionId: string | undefined,
): Uint8Array {
  return postWith(endpoint, body, sessionFields(sessionId));
}

function postWith(endpoint: Endpoint, body: string, fields: string): Uint8Array {
  const bodyBytes = encoder.encode(body);
  const head = encoder.encode(
    startOf("POST", endpoint) +
      "accept: application/json, text/event-stream\r\ncontent-type: application/json\r\n" +
      `${fields}content-length: ${bodyBytes.length}\r\n\r\n`,
  );
  const message = new Uint8Array(head.length + bodyBytes.length);
  message.set(head);
  message.set(bodyBytes, head.length);
  return message;
}

/** The body of `initialize`. */
export function initializeBody(id: number): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id,
    method: "initialize",
    params: {
      protocolVersion: PROTOCOL_VERSION,
      capabilities: {},
      clientInfo: CLIENT_INFO,
    },
  });
}

/** The body of `notifications/initialized`. */
export function initializedBody(): string {
  return JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" });
}

/** An encoded `tools/call` whose id can be changed in place. */
export interface CallTemplate {
  readonly bytes: Uint8Array;
  readonly idOffset: number;
}

/** Encodes a `tools/call` in a session. */
export function callTemplate(
  endpoint: Endpoint,
  sessionId: string | undefined,
  tool: string,
  toolArguments: Readonly<Record<string, number>>,
): CallTemplate {
  const params = { name: tool, arguments: toolArguments };
  return templateOf(endpoint, params, sessionFields(sessionId));
}

/**
 * Encodes a `tools/call` of 2026-07-28, which says in itself what a session would have said before
 * (2026-07-28 basic/transports/streamable-http, Request Metadata).
 *
 * @param key an API key of the caller, where it has one
 */
export function modernCallTemplate(
  endpoint: Endpoint,
  key: string | undefined,
  tool: string,
  toolArguments: Readonly<Record<string, number>>,
): CallTemplate {
  const _meta = {
    [META.protocolVersion]: MODERN_VERSION,
    [META.clientInfo]: CLIENT_INFO,
    [META.clientCapabilities]: {},
  };
  const fields = `mcp-protocol-version: ${MODERN_VERSION}\r\n` +
    `mcp-method: tools/call\r\nmcp-name: ${tool}\r\n` +
    (key === undefined ? "" : `authorization: Bearer ${key}\r\n`);
  return templateOf(endpoint, { name: tool, arguments: toolArguments, _meta }, fields);
}

function templateOf(endpoint: Endpoint, params: unknown, fields: string): CallTemplate {
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: FIRST_REQUEST_ID,
    method: "tools/call",
    params,
  });
  const bytes = postWith(endpoint, body, fields);
  const idAt = body.indexOf(`"id":${FIRST_REQUEST_ID}`) + '"id":'.length;
  return { bytes, idOffset: bytes.length - encoder.encode(body).length + idAt };
}

/** Writes a request id into the template. */
export function setRequestId(template: CallTemplate, id: number): void {
  if (id < FIRST_REQUEST_ID || id > LAST_REQUEST_ID) throw new RangeError(`request id ${id}`);
  let rest = id;
  for (let at = template.idOffset + 6; at >= template.idOffset; at--) {
    template.bytes[at] = 48 + rest % 10;
    rest = Math.floor(rest / 10);
  }
}

/**
 * Counts the events of an event stream that carry data, as the bytes go by.
 *
 * The mock writes one data line an event, so a data line that is not empty is an event; comments,
 * ids and the empty priming events a proxy may add do not count.
 */
export class EventCounter {
  #events = 0;
  #lineBytes = 0;
  #isData = false;

  /** Events seen so far. */
  get events(): number {
    return this.#events;
  }

  /** Takes the next bytes of the stream. */
  push(bytes: Uint8Array): void {
    let lineStart = 0;
    for (;;) {
      if (this.#lineBytes === 0 && lineStart < bytes.length) {
        this.#isData = bytes[lineStart] === 100; // "d"
      }
      const lineEnd = bytes.indexOf(10, lineStart);
      if (lineEnd === -1) {
        this.#lineBytes += bytes.length - lineStart;
        return;
      }
      this.#lineBytes += lineEnd - lineStart;
      if (this.#isData && this.#lineBytes > "data: \r".length) this.#events++;
      this.#lineBytes = 0;
      this.#isData = false;
      lineStart = lineEnd + 1;
    }
  }
}
