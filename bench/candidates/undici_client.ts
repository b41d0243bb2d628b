/**
 * The HTTP client on undici's dispatcher: what the proxy had before its own connections.
 *
 * Its dispatcher, because that hands over the bytes without a stream in between. Its own timeouts are
 * off: they are seconds coarse. undici sends a POST exactly once.
 */

import { buildConnector, type Dispatcher, Pool } from "undici";
import type { Clock } from "../../src/clock.ts";
import { ProxyError } from "../../src/errors.ts";
import { type Bytes, Fields } from "../../src/http/mod.ts";
import { isEventStream } from "../../src/sse/mod.ts";
import {
  AnswerBody,
  type HttpAnswer,
  type HttpClient,
  type HttpClientOptions,
  type HttpRequest,
  mayRetry,
} from "../../src/upstream/mod.ts";
import { clientClosed, closedEarly, connectTimeout, saturated, unreachable } from "./failures.ts";

/** Largest head of an answer, in bytes. */
const MAX_HEAD_BYTES = 65_536;

/** A client for one target, which has to be plain TCP. */
export function undiciClient(options: HttpClientOptions): HttpClient {
  const { target, maxConnections, maxStreams, clock } = options;
  if (target.kind !== "tcp" || target.tls !== undefined) {
    throw new TypeError("this candidate reaches http: upstreams alone");
  }
  const most = maxConnections + maxStreams;
  const pool = new Pool(`http://${target.host}`, {
    allowH2: false,
    bodyTimeout: 0,
    connections: most,
    connect: connector(options),
    headersTimeout: 0,
    keepAliveTimeout: options.keepAliveMs,
    maxHeaderSize: MAX_HEAD_BYTES,
    pipelining: 1,
  });
  let underWay = 0;
  return {
    async send(request) {
      // undici would let requests wait in line without end for a connection to become free.
      if (underWay >= most) throw saturated();
      underWay++;
      const done = () => void underWay--;
      try {
        const answer = await sendWithRetry(pool, request, clock);
        answer.body.whenOver(done);
        return answer;
      } catch (error) {
        done();
        throw error;
      }
    },
    close: () => pool.destroy(),
  };
}

/** Connects within the deadline, which undici's own coarse timers would only roughly keep. */
function connector(options: HttpClientOptions): buildConnector.connector {
  // The types leave out what undici returns: the socket that is being connected.
  const connect = buildConnector({ timeout: 0 }) as unknown as (
    ...args: Parameters<buildConnector.connector>
  ) => { destroy(error: Error): void };
  return (target, callback) => {
    const giveUp = () => socket.destroy(connectTimeout());
    const timer = options.clock.after(options.connectTimeoutMs, giveUp);
    const socket = connect(target, (...outcome) => {
      timer.cancel();
      callback(...outcome);
    });
  };
}

/** A GET that met a connection which was just being closed is sent once more. */
async function sendWithRetry(
  pool: Pool,
  request: HttpRequest,
  clock: Clock,
): Promise<HttpAnswer> {
  try {
    return await new Exchange(pool, request, clock).answer;
  } catch (error) {
    if (request.signal.aborted || !mayRetry(request.method, error)) throw error;
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
  readonly #startedMs: number;
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
    this.#startedMs = clock.monotonicMs();
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
    const isStream = isEventStream(fields.first("content-type"));
    this.#body = new AnswerBody({
      pause: () => controller.pause(),
      resume: () => controller.resume(),
      abort: () => controller.abort(clientClosed()),
    }, {
      clock: this.#clock,
      idleMs: isStream ? timeouts.streamIdleMs : timeouts.bodyIdleMs,
      untilMs: isStream ? Infinity : this.#startedMs + timeouts.totalMs,
    });
    this.#resolve({ status, fields, body: this.#body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Uint8Array): void {
    this.#body?.push(piece as Bytes);
  }

  onResponseEnd(): void {
    this.#body?.finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settleHead();
    const failure = this.#givenUp ?? toFailure(error, this.#body !== undefined);
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

function flatten(headers: UndiciHeaders): Fields {
  return new Fields(
    Object.entries(headers).flatMap(([name, value]) =>
      [value ?? []].flat().flatMap((one) => [name, one])
    ),
  );
}

function noHead(): ProxyError {
  return new ProxyError("upstream_timeout", "The upstream server did not answer in time.");
}

const UNREACHABLE = /^(ECONNREFUSED|ENOTFOUND|EAI_\w+|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/;
const CLOSED = /^(UND_ERR_SOCKET|ECONNRESET|EPIPE|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/;

/** undici's error as one of the proxy's kinds. */
function toFailure(error: Error, answerBegun: boolean): ProxyError {
  if (error instanceof ProxyError) return error;
  const code = (error as { code?: unknown }).code;
  const text = typeof code === "string" ? code : "";
  if (text === "ETIMEDOUT") return connectTimeout(error);
  if (UNREACHABLE.test(text)) return unreachable(error);
  if (CLOSED.test(text)) return closedEarly(answerBegun, error);
  const sentence = "The upstream server's answer is not valid HTTP.";
  return new ProxyError("upstream_protocol", sentence, { cause: error });
}
