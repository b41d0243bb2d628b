/**
 * Watches a handler's requests and answers go by, for a recorder.
 *
 * Nothing is changed, delayed or held back: pieces are handed on as they come, when they are asked
 * for. A body is watched where the handler reads it, and one that nobody reads is not recorded.
 *
 * @module
 */

import { isEventStream } from "../sse/mod.ts";
import type { RecordedExchange, Recorder } from "./recorder.ts";
import type { Field } from "./redact.ts";

/** Answers one request. */
export type Handler = (request: Request) => Promise<Response>;

type Bytes = Uint8Array<ArrayBuffer>;
type Reader = ReadableStreamDefaultReader<Bytes>;

const received = new WeakMap<Response, readonly Field[]>();

/** Has `fields`, in the order in which they came, recorded in place of the sorted ones of `response`. */
export function tellFields(response: Response, fields: readonly Field[]): Response {
  received.set(response, fields);
  return response;
}

/** `handler`, with what goes in and comes out told to `recorder`. */
export function tap(handler: Handler, recorder: Recorder): Handler {
  return async (request) => {
    const exchange = recorder.begin({
      method: request.method,
      target: targetOf(request.url),
      fields: [...request.headers],
    });
    if (exchange === undefined) return await handler(request);
    const gone = () => exchange.abort("client");
    request.signal.addEventListener("abort", gone, { once: true });
    try {
      return await watchResponse(await handler(watchRequest(request, exchange)), exchange);
    } catch (error) {
      exchange.abort("server");
      throw error;
    }
  };
}

/** The target as the client wrote it; `new URL` would make it another. */
function targetOf(url: string): string {
  const slash = url.indexOf("/", url.indexOf("://") + 3);
  return slash === -1 ? "/" : url.slice(slash);
}

/**
 * The request, with a body that is watched once it is asked for: one that is refused unread stays
 * unread. A copy would be another request: its URL normalised, its signal new.
 */
function watchRequest(request: Request, exchange: RecordedExchange): Request {
  if (isBodyless(request)) {
    exchange.end("client");
    return request;
  }
  let watched: ReadableStream<Bytes> | null | undefined;
  const body = () => watched ??= watchBody(request, exchange);
  const whole = () => new Response(body());
  const own: Readonly<Record<string | symbol, () => unknown>> = {
    arrayBuffer: () => whole().arrayBuffer(),
    bytes: () => whole().bytes(),
    json: () => whole().json(),
    text: () => whole().text(),
  };
  return new Proxy(request, {
    get(target, key) {
      if (key === "body") return body();
      if (Object.hasOwn(own, key)) return own[key];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Whether a request surely has no body. In HTTP/2 one needs no field that announces it. */
function isBodyless({ method, headers }: Request): boolean {
  if (method === "GET" || method === "HEAD") return true;
  if (headers.has("transfer-encoding")) return false;
  const length = headers.get("content-length");
  return length === "0" || (length === null && !/^(POST|PUT|PATCH)$/.test(method));
}

function watchBody(request: Request, exchange: RecordedExchange): ReadableStream<Bytes> | null {
  if (request.body === null) {
    exchange.end("client");
    return null;
  }
  return watch(request.body.getReader(), NOTHING_YET, {
    data: (bytes) => exchange.data("client", bytes),
    end: () => exchange.end("client"),
    broken: () => exchange.abort("client"),
    cancelled: () => {},
  });
}

async function watchResponse(response: Response, exchange: RecordedExchange): Promise<Response> {
  const { status, statusText, headers, body } = response;
  exchange.response(status, received.get(response) ?? [...headers]);
  if (body === null) {
    exchange.end("server");
    return response;
  }
  const init = { status, statusText, headers };
  const reader: Reader = body.getReader();
  const isStream = isEventStream(headers.get("content-type"));
  const early = isStream ? NOTHING_YET : await readEarly(reader);
  if (early.ended) {
    // Given as bytes, so that the server tells its length, as it would have without the watch.
    for (const piece of early.pieces) exchange.data("server", piece);
    exchange.end("server");
    return new Response(concat(early.pieces), init);
  }
  const watched = watch(reader, early, {
    data: (bytes) => exchange.data("server", bytes),
    end: () => exchange.end("server"),
    broken: () => exchange.abort("server"),
    cancelled: () => exchange.abort("client"),
  });
  return new Response(watched, init);
}

/** What of a body was there before anybody asked for it. */
interface Early {
  readonly pieces: Bytes[];
  /** Whether that is all of it. */
  readonly ended: boolean;
  /** The read that goes on. */
  readonly pending: Promise<ReadableStreamReadResult<Bytes>> | undefined;
}

const NOTHING_YET: Early = { pieces: [], ended: false, pending: undefined };

/** Turns of the microtask queue in which a body that was given as text or bytes is read. */
const READY_TURNS = 16;

/** Most bytes that are read ahead of the client. */
const EARLY_BYTES = 65_536;

/** Reads a body that is there already; it waits for nothing that is still to come. */
async function readEarly(reader: Reader): Promise<Early> {
  const pieces: Bytes[] = [];
  for (let bytes = 0; bytes < EARLY_BYTES;) {
    const pending = reader.read();
    const result = await soon(pending);
    if (result === undefined) return { pieces, ended: false, pending };
    if (result.done) return { pieces, ended: true, pending: undefined };
    pieces.push(result.value);
    bytes += result.value.length;
  }
  return { pieces, ended: false, pending: undefined };
}

async function soon<T>(promise: Promise<T>): Promise<T | undefined> {
  let value: T | undefined;
  promise.then((settled) => value = settled, () => {
    // Whoever reads on is told.
  });
  for (let turn = 0; turn < READY_TURNS && value === undefined; turn++) await undefined;
  return value;
}

/** What becomes of a body. */
interface Told {
  data(bytes: Bytes): void;
  end(): void;
  broken(): void;
  cancelled(): void;
}

/** The rest of a body, told piece by piece. It reads only when it is read: back-pressure stays. */
function watch(reader: Reader, early: Early, told: Told): ReadableStream<Bytes> {
  const pieces = [...early.pieces];
  let { pending } = early;
  const next = async (): Promise<ReadableStreamReadResult<Bytes>> => {
    const value = pieces.shift();
    if (value !== undefined) return { done: false, value };
    const reading = pending ?? reader.read();
    pending = undefined;
    return await reading;
  };
  return new ReadableStream<Bytes>({
    async pull(controller) {
      try {
        const { done, value } = await next();
        if (done) {
          told.end();
          controller.close();
        } else {
          told.data(value);
          controller.enqueue(value);
        }
      } catch (error) {
        told.broken();
        controller.error(error);
      }
    },
    async cancel(reason) {
      told.cancelled();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

function concat(pieces: readonly Bytes[]): Bytes {
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0);
  return whole;
}
