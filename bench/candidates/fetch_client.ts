/**
 * The HTTP client on the runtime's `fetch`, HTTP/1.1.
 *
 * `fetch` sends a request again, silently, when its connection closes without an answer, be it a reused
 * one or not. It cannot where the body is a stream, so a POST has one; it goes out chunked then. A
 * connection of its own would not do. A DELETE, which may be repeated (RFC 9110 section 9.2.2), stays as
 * it is. Redirects are handed back; bodies are asked for uncompressed already.
 */

import { Fields } from "../../src/http/mod.ts";
import { Call } from "../../src/upstream/http1/call.ts";
import { isEventStream } from "../../src/sse/mod.ts";
import {
  AnswerBody,
  type HttpAnswer,
  type HttpClient,
  type HttpClientOptions,
  type HttpRequest,
} from "../../src/upstream/mod.ts";
import { closedEarly, saturated, unreachable } from "./failures.ts";

/** A client that sends a POST at most once; its target has to be plain TCP. */
export function fetchClient(options: HttpClientOptions): HttpClient {
  const { target, maxConnections, maxStreams } = options;
  if (target.kind !== "tcp" || target.tls !== undefined) {
    throw new TypeError("this candidate reaches http: upstreams alone");
  }
  const client = Deno.createHttpClient({
    http1: true,
    http2: false,
    poolIdleTimeout: options.keepAliveMs,
  });
  const origin = `http://${target.host}`;
  const underWay = new Set<AbortController>();
  return {
    async send(request) {
      if (underWay.size >= maxConnections + maxStreams) throw saturated();
      const abort = new AbortController();
      underWay.add(abort);
      const done = () => void underWay.delete(abort);
      try {
        const answer = await send(client, origin, request, abort, options);
        answer.body.whenOver(done);
        return answer;
      } catch (error) {
        done();
        throw error;
      }
    },
    close() {
      for (const abort of underWay) abort.abort();
      client.close();
      return Promise.resolve();
    },
  };
}

async function send(
  client: Deno.HttpClient,
  origin: string,
  request: HttpRequest,
  abort: AbortController,
  { clock }: HttpClientOptions,
): Promise<HttpAnswer> {
  const call = new Call(request, clock);
  try {
    let failure: Error | undefined;
    call.whenGivenUp((error) => {
      failure = error;
      abort.abort();
    });
    const response = await fetch(origin + request.path, {
      client,
      method: request.method,
      headers: pairs(request.fields),
      body: request.body === null ? null : sentOnce(request.body),
      redirect: "manual",
      signal: abort.signal,
    }).catch((cause) => {
      throw failure ?? toFailure(cause);
    });
    return toAnswer(response, call, abort, clock);
  } finally {
    call.settle();
  }
}

/** `fetch` tells its failures apart in words alone. */
function toFailure(cause: unknown): Error {
  const words = cause instanceof Error ? cause.message : "";
  return /tcp connect error|dns error/i.test(words)
    ? unreachable(cause)
    : closedEarly(false, cause);
}

/** A body that `fetch` cannot send a second time. */
function sentOnce(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

function pairs(fields: readonly string[]): [string, string][] {
  const result: [string, string][] = [];
  for (let at = 0; at < fields.length; at += 2) result.push([fields[at]!, fields[at + 1]!]);
  return result;
}

function toAnswer(
  response: Response,
  call: Call,
  abort: AbortController,
  clock: HttpClientOptions["clock"],
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
  follow(response, body, async () => {
    if (paused) await new Promise<void>((resolve) => resume = resolve);
  });
  body.whenOver(() => resume?.());
  return { status: response.status, fields: Fields.from(response.headers), body };
}

/** Pushes the body on as it comes; never rejects. */
async function follow(
  response: Response,
  body: AnswerBody,
  mayGoOn: () => Promise<void>,
): Promise<void> {
  try {
    const reader = response.body?.getReader();
    for (;;) {
      const piece = await reader?.read();
      if (piece === undefined || piece.done) return body.finish();
      body.push(piece.value);
      await mayGoOn();
    }
  } catch (cause) {
    body.fail(closedEarly(true, cause));
  }
}
