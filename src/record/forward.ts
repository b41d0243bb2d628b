/**
 * A transparent forwarder: every method, path and query goes to one server as it is, and its answers
 * come back as they are, event streams from the first byte.
 *
 * Only what belongs to a connection is the forwarder's own (RFC 9110 section 7.6.1), and answers are
 * asked for uncompressed, so that they can be read in a recording.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError, toProxyError } from "../errors.ts";
import { refusal, targetPath } from "../front/mod.ts";
import { isEventStream } from "../sse/mod.ts";
import type { HttpAnswer, HttpClient, HttpRequest, UpstreamAddress } from "../upstream/mod.ts";
import { rewriteEndpoint } from "./endpoint.ts";
import type { Field } from "./redact.ts";
import { type Handler, tellFields } from "./tap.ts";

/** What a forwarder works with. */
export interface ForwardOptions {
  /** Connections to the server; the caller closes them. */
  readonly client: HttpClient;
  /** The server's address. */
  readonly address: UpstreamAddress;
  /** Time. */
  readonly clock: Clock;
}

/** Largest request body, in bytes. */
export const MAX_REQUEST_BYTES = 4_194_304;

/** Longest time to receive a request body, in milliseconds. */
const BODY_TIMEOUT_MS = 30_000;

/** The defaults of the proxy (`config/schema.ts`). */
const TIMEOUTS = {
  headersMs: 300_000,
  totalMs: 600_000,
  bodyIdleMs: 60_000,
  streamIdleMs: 3_600_000,
};

const OWN_FIELDS: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const OWN_ANSWER_FIELDS: ReadonlySet<string> = new Set(
  [...OWN_FIELDS].filter((name) => name !== "content-length"),
);

const BODYLESS_STATUS: ReadonlySet<number> = new Set([204, 205, 304]);

/** Forwards requests; never rejects. */
export function forward(options: ForwardOptions): Handler {
  return async (request) => {
    try {
      return await pass(options, request);
    } catch (error) {
      return refusal(toProxyError(error));
    }
  };
}

async function pass(options: ForwardOptions, request: Request): Promise<Response> {
  if (request.method === "CONNECT" || request.method === "TRACE") {
    throw new ProxyError("method_not_allowed", `${request.method} is not forwarded here.`);
  }
  const body = await readBody(request, options.clock);
  const answer = await options.client.send({
    // The client sends any method; its type names those of MCP.
    method: request.method as HttpRequest["method"],
    path: targetOf(request.url, options.address),
    fields: [...requestFields(request.headers), "accept-encoding", "identity"],
    body,
    signal: request.signal,
    timeouts: TIMEOUTS,
  });
  try {
    return tellFields(toResponse(request, answer, options.address), answer.fields);
  } catch (error) {
    // A status that no answer may have.
    answer.body.discard();
    throw error;
  }
}

/** The query of the configured URL outweighs the client's, on the configured path. */
function targetOf(url: string, address: UpstreamAddress): string {
  const { path, query } = targetPath(url);
  return path + (path === address.path && address.query !== "" ? address.query : query);
}

function requestFields(headers: Headers): string[] {
  return endToEnd([...headers], OWN_FIELDS).flat();
}

/** Fields without those of the connection and those that it names. */
function endToEnd(fields: readonly Field[], own: ReadonlySet<string>): Field[] {
  const connection = fields.find(([name]) => name === "connection")?.[1] ?? "";
  const named = new Set(connection.toLowerCase().split(",").map((name) => name.trim()));
  return fields.filter(([name]) => !own.has(name) && !named.has(name));
}

function toResponse(request: Request, answer: HttpAnswer, address: UpstreamAddress): Response {
  const headers = new Headers();
  for (const [name, value] of endToEnd(answer.fields, OWN_ANSWER_FIELDS)) {
    headers.append(name, value);
  }
  const { status } = answer;
  if (request.method === "HEAD" || BODYLESS_STATUS.has(status)) {
    answer.body.discard();
    return new Response(null, { status, headers });
  }
  return new Response(bodyOf(request, answer, headers, address), { status, headers });
}

function bodyOf(
  request: Request,
  answer: HttpAnswer,
  headers: Headers,
  { target }: UpstreamAddress,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const stream = answer.body.stream();
  const mayNameAddress = request.method === "GET" && target.kind === "tcp" &&
    isEventStream(headers.get("content-type"));
  if (!mayNameAddress) return stream;
  const upstream = `${target.tls === undefined ? "http" : "https"}://${target.host}`;
  // The name by which the client called, which was checked at the door.
  const own = `http://${request.headers.get("host")}`;
  // The length would be another one.
  headers.delete("content-length");
  return stream.pipeThrough(rewriteEndpoint(upstream, own));
}

async function readBody(request: Request, clock: Clock): Promise<Uint8Array | null> {
  if (request.body === null) return null;
  const reader = request.body.getReader();
  let failure: ProxyError | undefined;
  const give = (error: ProxyError) => {
    failure = error;
    // Nobody waits for the connection to take notice.
    reader.cancel().catch(() => {});
  };
  const timer = clock.after(BODY_TIMEOUT_MS, () => give(tooSlow()));
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > MAX_REQUEST_BYTES) give(tooLarge());
      else pieces.push(value);
    }
  } catch (error) {
    throw new ProxyError("client_closed", "The request body broke off.", { cause: error });
  } finally {
    timer.cancel();
  }
  if (failure !== undefined) throw failure;
  const whole = new Uint8Array(length);
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0);
  return whole;
}

function tooSlow(): ProxyError {
  return new ProxyError(
    "body_timeout",
    `The request body did not arrive within ${BODY_TIMEOUT_MS} ms.`,
  );
}

function tooLarge(): ProxyError {
  return new ProxyError(
    "payload_too_large",
    `The request body is larger than ${MAX_REQUEST_BYTES} bytes, which is the limit here.`,
    { headers: { connection: "close" } },
  );
}
