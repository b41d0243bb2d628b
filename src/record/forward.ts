/**
 * A transparent forwarder: every method, path and query goes to one server as it is, and its answers
 * come back as they are, event streams from the first byte.
 *
 * Only what belongs to a connection is the forwarder's own (RFC 9110 section 7.6.1), and answers are
 * asked for uncompressed, so that they can be read in a recording.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../errors.ts";
import { refusal, targetPath } from "../front/mod.ts";
import {
  type AnswerSource,
  type ClientAnswer,
  type ClientRequest,
  type FieldReader,
  Fields,
  type Handler,
} from "../http/mod.ts";
import { isEventStream } from "../sse/mod.ts";
import type { HttpAnswer, HttpClient, UpstreamAddress } from "../upstream/mod.ts";
import { rewriteEndpoint } from "./endpoint.ts";
import type { Field } from "./redact.ts";
import { pairs, tellFields } from "./tap.ts";

/** What a forwarder works with. */
export interface ForwardOptions {
  /** Connections to the server; the caller closes them. */
  readonly client: HttpClient;
  /** The server's address. */
  readonly address: UpstreamAddress;
}

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

async function pass(options: ForwardOptions, request: ClientRequest): Promise<ClientAnswer> {
  const { method } = request;
  if (method === "CONNECT" || method === "TRACE") {
    throw new ProxyError("method_not_allowed", `${method} is not forwarded here.`);
  }
  const hasBody = method !== "GET" && method !== "HEAD";
  const body = hasBody ? await request.body() : null;
  const answer = await options.client.send({
    method,
    path: pathOf(request.target, options.address),
    fields: [...requestFields(request.headers), "accept-encoding", "identity"],
    body: body?.length === 0 && method !== "POST" ? null : body,
    signal: request.signal,
    timeouts: TIMEOUTS,
  });
  return tellFields(toAnswer(request, answer, options.address), pairs(answer.fields));
}

/** The query of the configured URL outweighs the client's, on the configured path. */
function pathOf(target: string, address: UpstreamAddress): string {
  const { path, query } = targetPath(target);
  return path + (path === address.path && address.query !== "" ? address.query : query);
}

function requestFields(headers: FieldReader): string[] {
  return endToEnd(pairs(headers), OWN_FIELDS).flat();
}

/** Fields without those of the connection and those that it names. */
function endToEnd(fields: readonly Field[], own: ReadonlySet<string>): Field[] {
  const connection = fields.find(([name]) => name === "connection")?.[1] ?? "";
  const named = new Set(connection.toLowerCase().split(",").map((name) => name.trim()));
  return fields.filter(([name]) => !own.has(name) && !named.has(name));
}

function toAnswer(
  request: ClientRequest,
  answer: HttpAnswer,
  address: UpstreamAddress,
): ClientAnswer {
  const { status } = answer;
  const fields = new Fields(endToEnd(pairs(answer.fields), OWN_FIELDS).flat());
  if (request.method === "HEAD" || BODYLESS_STATUS.has(status)) {
    answer.body.discard();
    return { status, fields, body: null };
  }
  return { status, fields, body: bodyOf(request, answer, address) };
}

function bodyOf(
  request: ClientRequest,
  answer: HttpAnswer,
  { target }: UpstreamAddress,
): AnswerSource {
  const mayNameAddress = request.method === "GET" && target.kind === "tcp" &&
    isEventStream(answer.fields.get("content-type"));
  if (!mayNameAddress) return answer.body;
  const upstream = `${target.tls === undefined ? "http" : "https"}://${target.host}`;
  // The name by which the client called, which was checked at the door.
  return rewriteEndpoint(answer.body, upstream, `http://${request.headers.get("host")}`);
}
