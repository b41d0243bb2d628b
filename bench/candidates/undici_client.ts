/**
 * The HTTP client on undici's dispatcher.
 *
 * undici, because it sends a POST exactly once where the runtime's `fetch` and `node:http` send it
 * again when a pooled connection closes without an answer. Its dispatcher, because that hands over
 * the bytes without a stream in between. Its own timeouts are off: they are seconds coarse.
 *
 * @module
 */

import { buildConnector, type Dispatcher, Pool } from "undici";
import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { isEventStream } from "../sse/mod.ts";
import { AnswerBody } from "./answer_body.ts";
import type { HttpAnswer, HttpClient, HttpRequest } from "./http_client.ts";

/** How the connections are made. */
export interface UndiciClientOptions {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Longest time to connect, TLS included. */
  readonly connectTimeoutMs: number;
  /** Connections at one time. */
  readonly maxConnections: number;
  /** Time. */
  readonly clock: Clock;
}

/** Largest head of an answer, in bytes. */
const MAX_HEAD_BYTES = 65_536;

/** A client for one origin. */
export function undiciClient(options: UndiciClientOptions): HttpClient {
  const pool = new Pool(options.origin, {
    allowH2: false,
    bodyTimeout: 0,
    connections: options.maxConnections,
    connect: connector(options),
    headersTimeout: 0,
    maxHeaderSize: MAX_HEAD_BYTES,
    pipelining: 1,
  });
  let underWay = 0;
  return {
    async send(request) {
      // undici would let requests wait in line without end for a connection to become free.
      if (underWay >= options.maxConnections) throw saturated();
      underWay++;
      const done = () => void underWay--;
      try {
        const answer = await sendWithRetry(pool, request, options.clock);
        answer.body.done.then(done);
        return answer;
      } catch (error) {
        done();
        throw error;
      }
    },
    close: () => pool.destroy(),
  };
}

function saturated(): ProxyError {
  return new ProxyError(
    "upstream_saturated",
    "All connections to the upstream server are in use; try again later.",
    { headers: { "retry-after": "1" } },
  );
}

/** Connects within the deadline, which undici's own coarse timers would only roughly keep. */
function connector(options: UndiciClientOptions): buildConnector.connector {
  // The types leave out what undici returns: the socket that is being connected.
  const connect = buildConnector({ timeout: 0 }) as unknown as (
    ...args: Parameters<buildConnector.connector>
  ) => { destroy(error: Error): void };
  return (target, callback) => {
    const timer = options.clock.after(options.connectTimeoutMs, () => socket.destroy(tooLate()));
    const socket = connect(target, (...outcome) => {
      timer.cancel();
      callback(...outcome);
    });
  };
}

/** R60: a GET that met a connection which was just being closed is sent once more. */
async function sendWithRetry(
  pool: Pool,
  request: HttpRequest,
  clock: Clock,
): Promise<HttpAnswer> {
  try {
    return await new Exchange(pool, request, clock).answer;
  } catch (error) {
    const again = request.method === "GET" && error instanceof ProxyError &&
      error.kind === "upstream_closed" && !request.signal.aborted;
    if (!again) throw error;
    return await new Exchange(pool, request, clock).answer;
  }
}

type UndiciHeaders = Record<string, string | string[] | undefined>;

/** One request on its way: from dispatch to the end of the answer. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly answer: Promise<HttpAnswer>;
  readonly #resolve: (answer: HttpAnswer) => void;
  readonly #reject: (error: ProxyError) => void;
  readonly #request: HttpRequest;
  readonly #clock: Clock;
  readonly #onAbort = () => this.#giveUp(clientClosed());
  readonly #deadline: { cancel(): void };
  #controller: Dispatcher.DispatchController | undefined;
  #givenUp: ProxyError | undefined;
  #body: AnswerBody | undefined;

  constructor(pool: Pool, request: HttpRequest, clock: Clock) {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#request = request;
    this.#clock = clock;
    this.#deadline = clock.after(request.timeouts.headersMs, () => this.#giveUp(noHead()));
    if (request.signal.aborted) this.#onAbort();
    else this.#dispatch(pool);
  }

  #dispatch(pool: Pool): void {
    const { signal, path, method, fields, body } = this.#request;
    signal.addEventListener("abort", this.#onAbort, { once: true });
    pool.dispatch({ path, method, headers: fields as string[], body }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#givenUp !== undefined) return controller.abort(this.#givenUp);
    this.#controller = controller;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: UndiciHeaders,
  ): void {
    if (status < 200) return;
    this.#settleHead();
    const fields = flatten(headers);
    const { timeouts } = this.#request;
    const contentType = fields.find(([name]) => name === "content-type")?.[1];
    this.#body = new AnswerBody({
      pause: () => controller.pause(),
      resume: () => controller.resume(),
      abort: () => controller.abort(clientClosed()),
    }, {
      clock: this.#clock,
      idleMs: isEventStream(contentType) ? timeouts.streamIdleMs : timeouts.bodyIdleMs,
    });
    this.#resolve({ status, fields, body: this.#body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#body?.push(chunk as Uint8Array<ArrayBuffer>);
  }

  onResponseEnd(): void {
    this.#body?.finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settleHead();
    const failure = this.#givenUp ?? toFailure(error);
    if (this.#body === undefined) this.#reject(failure);
    else this.#body.fail(failure);
  }

  #settleHead(): void {
    this.#deadline.cancel();
    this.#request.signal.removeEventListener("abort", this.#onAbort);
  }

  #giveUp(error: ProxyError): void {
    this.#givenUp = error;
    this.#settleHead();
    this.#controller?.abort(error);
    this.#reject(error);
  }
}

function flatten(headers: UndiciHeaders): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one])
  );
}

function clientClosed(): ProxyError {
  return new ProxyError("client_closed", "The client closed the request before it was answered.");
}

function noHead(): ProxyError {
  return new ProxyError("upstream_timeout", "The upstream server did not answer in time.");
}

const UNREACHABLE = /^(ECONNREFUSED|ENOTFOUND|EAI_\w+|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/;
const CLOSED = /^(UND_ERR_SOCKET|ECONNRESET|EPIPE|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/;

function tooLate(cause?: Error): ProxyError {
  const sentence = "The upstream server could not be reached in time.";
  return new ProxyError("upstream_connect_timeout", sentence, { cause });
}

/** undici's error as one of the proxy's kinds. */
export function toFailure(error: Error): ProxyError {
  if (error instanceof ProxyError) return error;
  const code = (error as { code?: unknown }).code;
  const text = typeof code === "string" ? code : "";
  if (text === "ETIMEDOUT") return tooLate(error);
  if (UNREACHABLE.test(text)) {
    const sentence = "The upstream server cannot be reached.";
    return new ProxyError("upstream_unreachable", sentence, { cause: error });
  }
  if (CLOSED.test(text)) {
    const sentence = "The upstream server closed the connection before its answer was complete.";
    return new ProxyError("upstream_closed", sentence, { cause: error });
  }
  const sentence = "The upstream server's answer is not valid HTTP.";
  return new ProxyError("upstream_protocol", sentence, { cause: error });
}
