/**
 * The HTTP/2 client, on the runtime's `fetch`; used where the config asks for it.
 *
 * HTTP/2 says itself which requests a server has not seen, so the re-sending that rules `fetch` out for
 * HTTP/1.1 is safe here (RFC 9113 section 8.7). Redirects are handed back, not followed (R70).
 *
 * @module
 */

import { ANSWERING, NOTHING_SENT, ProxyError, stopping, UNANSWERED } from "../errors.ts";
import { isEventStream } from "../sse/mod.ts";
import { type Bytes, Fields } from "../http/mod.ts";
import { AnswerBody } from "./answer_body.ts";
import type { HttpAnswer, HttpClient, HttpClientOptions, HttpRequest } from "./http_client.ts";
import { Call } from "./http1/call.ts";

/** A client for one target, which has to be TCP. */
export function http2Client(options: HttpClientOptions): HttpClient {
  const { target, maxConnections, maxStreams } = options;
  if (target.kind !== "tcp") throw new TypeError("HTTP/2 upstreams are reached over TCP");
  const { tls } = target;
  const client = Deno.createHttpClient({
    http1: false,
    http2: true,
    caCerts: [...tls?.caCerts ?? []],
    ...(tls?.cert !== undefined && tls.key !== undefined ? { cert: tls.cert, key: tls.key } : {}),
  });
  const origin = `${tls === undefined ? "http" : "https"}://${target.host}`;
  const underWay = new Set<AbortController>();
  let isClosed = false;
  // What is cut by `close` looks to `fetch` like any other failure.
  const judge: Judge = (error) => isClosed ? stopping(error.progress ?? UNANSWERED) : error;
  return {
    async send(request) {
      if (isClosed) throw stopping(NOTHING_SENT);
      if (underWay.size >= maxConnections + maxStreams) throw saturated();
      const abort = new AbortController();
      underWay.add(abort);
      const done = () => void underWay.delete(abort);
      try {
        const answer = await send(client, origin, request, abort, options, judge);
        answer.body.whenOver(done);
        return answer;
      } catch (error) {
        done();
        throw error instanceof ProxyError ? judge(error) : error;
      }
    },
    close() {
      isClosed = true;
      for (const abort of underWay) abort.abort();
      client.close();
      return Promise.resolve();
    },
  };
}

/** What a failure is to callers. */
type Judge = (error: ProxyError) => ProxyError;

async function send(
  client: Deno.HttpClient,
  origin: string,
  request: HttpRequest,
  abort: AbortController,
  { clock }: HttpClientOptions,
  judge: Judge,
): Promise<HttpAnswer> {
  const call = new Call(request, clock);
  try {
    let failure: ProxyError | undefined;
    call.whenGivenUp((error) => {
      failure = error;
      abort.abort();
    });
    const response = await fetch(origin + request.path, {
      client,
      method: request.method,
      headers: pairs(request.fields),
      body: request.body as Bytes | null,
      redirect: "manual",
      signal: abort.signal,
    }).catch((cause) => {
      throw failure === undefined ? unreachable(cause) : unanswered(failure);
    });
    return toAnswer(response, call, abort, clock, judge);
  } finally {
    call.settle();
  }
}

function pairs(fields: readonly string[]): [string, string][] {
  return Array.from(
    { length: fields.length / 2 },
    (_, at) => [fields[2 * at]!, fields[2 * at + 1]!],
  );
}

function toAnswer(
  response: Response,
  call: Call,
  abort: AbortController,
  clock: HttpClientOptions["clock"],
  judge: Judge,
): HttpAnswer {
  const { timeouts } = call.request;
  const isStream = isEventStream(response.headers.get("content-type"));
  let resume: (() => void) | undefined;
  let paused = false;
  const body = new AnswerBody({
    pause: () => paused = true,
    resume: () => {
      paused = false;
      resume?.();
    },
    abort: () => abort.abort(),
  }, {
    clock,
    idleMs: isStream ? timeouts.streamIdleMs : timeouts.bodyIdleMs,
    untilMs: isStream ? Infinity : call.startedMs + timeouts.totalMs,
  });
  const follow = async () => {
    for await (const piece of response.body ?? []) {
      body.push(piece);
      if (paused) await new Promise<void>((resolve) => resume = resolve);
    }
    body.finish();
  };
  follow().catch((cause) => body.fail(judge(closedEarly(cause))));
  body.whenOver(() => resume?.());
  return { status: response.status, fields: Fields.from(response.headers), body };
}

function closedEarly(cause: unknown): ProxyError {
  const sentence = "The upstream server ended its answer before it was complete.";
  return new ProxyError("upstream_closed", sentence, { cause, progress: ANSWERING });
}

/** What `fetch` says where there was no connection. An address has no blank in it. */
const CONNECTING = /^error sending request for url \(\S*\): client error \(Connect\)/;

function unreachable(cause: unknown): ProxyError {
  const sentence = "The upstream server cannot be reached over HTTP/2.";
  // Of connecting `fetch` tells in words alone; otherwise not whether bytes had gone out.
  const isUnconnected = cause instanceof Error && cause.cause instanceof Error &&
    CONNECTING.test(cause.cause.message);
  const progress = { requestSent: !isUnconnected, answerBegun: false };
  return new ProxyError("upstream_unreachable", sentence, { cause, progress });
}

/** Why a call was given up whose request may have gone out. */
function unanswered({ kind, message, cause }: ProxyError): ProxyError {
  return new ProxyError(kind, message, { cause, progress: UNANSWERED });
}

function saturated(): ProxyError {
  const sentence = "Too many requests to the upstream server are under way; try again later.";
  return new ProxyError("upstream_saturated", sentence, { headers: { "retry-after": "1" } });
}
