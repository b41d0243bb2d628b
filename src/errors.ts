/**
 * Every failure that a client can see, and the one table that says which HTTP status and which
 * JSON-RPC code it has.
 *
 * Codes: -32700 to -32600 are JSON-RPC's own; -32020 to -32099 belong to the MCP specification and
 * are used with its meaning only; what is the proxy's own lies outside the reserved range
 * (2026-07-28 basic/index "Error Codes") at -(31000 + HTTP status).
 *
 * @module
 */

/** Who has to change something for the request to succeed. */
export type ErrorSource = "client" | "proxy" | "upstream";

/** How one kind of failure is presented. */
export interface ErrorPresentation {
  /** HTTP status code. */
  readonly status: number;
  /** JSON-RPC error code. */
  readonly code: number;
  /** Who has to change something. */
  readonly source: ErrorSource;
  /** Whether the same request may be sent again without the risk that it runs twice. */
  readonly retrySafe: boolean;
}

function presentation(
  status: number,
  code: number,
  source: ErrorSource,
  retrySafe: boolean,
): ErrorPresentation {
  return { status, code, source, retrySafe };
}

/** The table: error kind to HTTP status, JSON-RPC code, source, and whether a retry is safe. */
export const ERROR_TABLE = {
  parse_error: presentation(400, -32700, "client", false),
  invalid_request: presentation(400, -32600, "client", false),
  invalid_params: presentation(400, -32602, "client", false),
  header_mismatch: presentation(400, -32020, "client", false),
  missing_capability: presentation(400, -32021, "client", false),
  unsupported_version: presentation(400, -32022, "client", false),
  method_not_found: presentation(404, -32601, "client", false),
  bad_request: presentation(400, -31400, "client", false),
  bad_host: presentation(400, -31400, "client", false),
  unauthorized: presentation(401, -31401, "client", false),
  insufficient_scope: presentation(403, -31403, "client", false),
  forbidden_host: presentation(403, -31403, "client", false),
  forbidden_origin: presentation(403, -31403, "client", false),
  event_not_found: presentation(400, -31400, "client", false),
  route_not_found: presentation(404, -31404, "client", false),
  session_not_found: presentation(404, -31404, "client", false),
  method_not_allowed: presentation(405, -31405, "client", false),
  not_acceptable: presentation(406, -31406, "client", false),
  head_timeout: presentation(408, -31408, "client", true),
  body_timeout: presentation(408, -31408, "client", true),
  input_timeout: presentation(408, -31408, "client", false),
  payload_too_large: presentation(413, -31413, "client", false),
  target_too_long: presentation(414, -31414, "client", false),
  unsupported_media_type: presentation(415, -31415, "client", false),
  head_too_large: presentation(431, -31431, "client", false),
  principal_exhausted: presentation(429, -31429, "client", true),
  rate_limited: presentation(429, -31429, "client", true),
  client_closed: presentation(499, -31499, "client", false),
  internal: presentation(500, -32603, "proxy", false),
  interceptor_failed: presentation(500, -31500, "proxy", false),
  message_dropped: presentation(403, -31403, "proxy", false),
  interceptor_timeout: presentation(504, -31504, "proxy", false),
  version_not_supported: presentation(505, -31505, "client", false),
  authorization_unavailable: presentation(503, -31503, "proxy", true),
  server_access_refused: presentation(502, -31502, "proxy", true),
  server_token_unavailable: presentation(503, -31503, "proxy", true),
  store_unavailable: presentation(503, -31503, "proxy", true),
  connections_exhausted: presentation(503, -31503, "proxy", true),
  sessions_exhausted: presentation(503, -31503, "proxy", true),
  stopping: presentation(503, -31503, "proxy", false),
  upstream_saturated: presentation(503, -31503, "upstream", true),
  upstream_unavailable: presentation(503, -31503, "upstream", true),
  upstream_unreachable: presentation(502, -31502, "upstream", true),
  upstream_closed: presentation(502, -31502, "upstream", false),
  upstream_status: presentation(502, -31502, "upstream", false),
  upstream_protocol: presentation(502, -31502, "upstream", false),
  upstream_connect_timeout: presentation(504, -31504, "upstream", true),
  upstream_timeout: presentation(504, -31504, "upstream", false),
} as const satisfies Record<string, ErrorPresentation>;

/** The name of one kind of failure. */
export type ErrorKind = keyof typeof ERROR_TABLE;

/** How far an exchange with an upstream had come when it failed. */
export interface ExchangeProgress {
  /** Whether any byte of the request may have left. */
  readonly requestSent: boolean;
  /** Whether any byte of an answer came. */
  readonly answerBegun: boolean;
}

/** What may be said beside the kind and the sentence. */
export interface ErrorDetails {
  /** How far the exchange had come, for failures of an upstream. */
  readonly progress?: ExchangeProgress | undefined;
  /** The status with which an upstream refused, where the client gets the same one in place of the table's. */
  readonly upstreamStatus?: number | undefined;
  /** What led to this error; for the log alone, never shown to a client. */
  readonly cause?: unknown;
  /** The exact text of the JSON-RPC id that the answer has to carry. */
  readonly idText?: string | undefined;
  /** HTTP header fields that belong to the refusal, such as `allow` or `retry-after`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What the JSON-RPC error has under `data`. */
  readonly data?: unknown;
}

/** A failure with its kind. The message is one plain sentence that a client may read. */
export class ProxyError extends Error {
  /** Which failure it is. */
  readonly kind: ErrorKind;
  /** The exact text of the JSON-RPC id that the answer has to carry. */
  readonly idText: string | undefined;
  /** HTTP header fields that belong to the refusal. */
  readonly headers: Readonly<Record<string, string>>;
  /** How far the exchange had come, for failures of an upstream. */
  readonly progress: ExchangeProgress | undefined;
  /** The status with which an upstream refused, where the client gets the same one. */
  readonly upstreamStatus: number | undefined;
  /** What the JSON-RPC error has under `data`; undefined for nothing. */
  readonly data: unknown;

  /** A failure of `kind`, told in the sentence `message`. */
  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ProxyError";
    this.kind = kind;
    this.idText = details.idText;
    this.headers = details.headers ?? {};
    this.progress = details.progress;
    this.upstreamStatus = details.upstreamStatus;
    this.data = details.data;
  }

  /** The HTTP status of this failure. */
  get status(): number {
    return this.upstreamStatus ?? ERROR_TABLE[this.kind].status;
  }

  /** The JSON-RPC error code of this failure. */
  get code(): number {
    return ERROR_TABLE[this.kind].code;
  }

  /** Who has to change something. */
  get source(): ErrorSource {
    return ERROR_TABLE[this.kind].source;
  }

  /** Whether the same request may be sent again without the risk that it runs twice. */
  get retrySafe(): boolean {
    if (this.progress !== undefined) return !this.progress.requestSent;
    return ERROR_TABLE[this.kind].retrySafe;
  }

  /** The same failure, answering the request whose id has the text `idText`. */
  withId(idText: string | undefined): ProxyError {
    if (idText === undefined || this.idText !== undefined) return this;
    return new ProxyError(this.kind, this.message, {
      cause: this.cause,
      idText,
      headers: this.headers,
      progress: this.progress,
      upstreamStatus: this.upstreamStatus,
      data: this.data,
    });
  }
}

/** How far an exchange has come of which nothing was sent. */
export const NOTHING_SENT: ExchangeProgress = { requestSent: false, answerBegun: false };

/** How far one has come whose request may have arrived, and of whose answer nothing has. */
export const UNANSWERED: ExchangeProgress = { requestSent: true, answerBegun: false };

/** How far one has come whose answer is read. */
export const ANSWERING: ExchangeProgress = { requestSent: true, answerBegun: true };

const CUT_HERE =
  "The proxy has closed its connections to the upstream server, as it is stopping or has another config; ";

/**
 * The failure of an exchange that the proxy itself has cut: it stops, or its config has left the server out.
 * Only where nothing was sent is the client told to send it again (`Retry-After`, RFC 9110 section 10.2.3).
 */
export function stopping(progress: ExchangeProgress): ProxyError {
  return progress.requestSent
    ? new ProxyError(
      "stopping",
      `${CUT_HERE}this request may have been carried out: find that out before you send it again.`,
      { progress },
    )
    : new ProxyError("stopping", `${CUT_HERE}this request was not sent: send it again.`, {
      progress,
      headers: { "retry-after": "1" },
    });
}

/** Whether the proxy itself has cut an exchange: there is nothing to be asked again by it. */
export function isStop(error: unknown): boolean {
  return error instanceof ProxyError && error.kind === "stopping";
}

/** Any thrown value as a `ProxyError`; what is not one becomes `internal` and keeps its cause. */
export function toProxyError(thrown: unknown): ProxyError {
  if (thrown instanceof ProxyError) return thrown;
  return new ProxyError("internal", "The proxy failed while it handled this request.", {
    cause: thrown,
  });
}

/**
 * The JSON-RPC error response for a failure, as text.
 *
 * An unknown id is left out, which every revision from 2025-03-26 allows for the body of an HTTP
 * error ("a JSON-RPC error response that has no `id`"). A known one is copied as it was written.
 */
export function errorBody(error: ProxyError): string {
  const id = error.idText === undefined ? "" : `"id":${error.idText},`;
  const message = JSON.stringify(error.message);
  const data = error.data === undefined ? "" : `,"data":${JSON.stringify(error.data)}`;
  return `{"jsonrpc":"2.0",${id}"error":{"code":${error.code},"message":${message}${data}}}`;
}
