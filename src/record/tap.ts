/**
 * Watches a handler's requests and answers go by, for a recorder.
 *
 * Nothing is changed, delayed or held back: pieces are handed on as they come, when they are asked
 * for. A body is told when the handler has read it, and one that nobody reads is not recorded.
 *
 * @module
 */

import type {
  AnswerSource,
  Bytes,
  ClientAnswer,
  ClientRequest,
  FieldReader,
  Handler,
} from "../http/mod.ts";
import type { RecordedExchange, Recorder } from "./recorder.ts";
import type { Field } from "./redact.ts";

const received = new WeakMap<ClientAnswer, readonly Field[]>();

/** Has `fields`, those that the server sent, recorded in place of those of `answer`. */
export function tellFields(answer: ClientAnswer, fields: readonly Field[]): ClientAnswer {
  received.set(answer, fields);
  return answer;
}

/** `handler`, with what goes in and comes out told to `recorder`. */
export function tap(handler: Handler, recorder: Recorder): Handler {
  return async (request) => {
    const exchange = recorder.begin({
      method: request.method,
      target: pathOf(request.target),
      // Their order says nothing (RFC 9110 section 5.3), and differs from one client's version to the next.
      fields: pairs(request.headers).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0),
    });
    if (exchange === undefined) return await handler(request);
    const gone = () => exchange.abort("client");
    request.signal.addEventListener("abort", gone, { once: true });
    try {
      return watchAnswer(await handler(watchRequest(request, exchange)), exchange);
    } catch (error) {
      exchange.abort("server");
      throw error;
    }
  };
}

/** Fields as names and values. */
export function pairs(fields: FieldReader): Field[] {
  const list: Field[] = [];
  fields.forEach((value, name) => list.push([name, value]));
  return list;
}

/** The path and query of a target as the client wrote it; `new URL` would make it another. */
function pathOf(target: string): string {
  if (target.startsWith("/")) return target;
  const slash = target.indexOf("/", target.indexOf("://") + 3);
  return slash === -1 ? "/" : target.slice(slash);
}

/** The request, with a body that is told once it is asked for: one that is refused unread stays so. */
function watchRequest(request: ClientRequest, exchange: RecordedExchange): ClientRequest {
  if (isBodyless(request)) {
    exchange.end("client");
    return request;
  }
  const tell = (body: Uint8Array) => {
    exchange.data("client", body);
    exchange.end("client");
    return body;
  };
  const { method, target, headers } = request;
  return {
    method,
    target,
    headers,
    get signal() {
      return request.signal;
    },
    body() {
      const body = request.body();
      if (body instanceof Uint8Array) return tell(body);
      // A client that goes in the middle is told of by the signal; a body too large is answered.
      return body.then(tell);
    },
  };
}

/** Whether a request surely has no body. In HTTP/2 one needs no field that announces it. */
function isBodyless({ method, headers }: ClientRequest): boolean {
  if (method === "GET" || method === "HEAD") return true;
  if (headers.has("transfer-encoding")) return false;
  const length = headers.get("content-length");
  return length === "0" || (length === null && !/^(POST|PUT|PATCH)$/.test(method));
}

function watchAnswer(answer: ClientAnswer, exchange: RecordedExchange): ClientAnswer {
  const { status, fields, body } = answer;
  exchange.response(status, received.get(answer) ?? pairs(fields));
  if (body !== null && !(body instanceof Uint8Array)) {
    return { status, fields, body: watchSource(body, exchange) };
  }
  if (body !== null) exchange.data("server", body);
  exchange.end("server");
  return answer;
}

/** A body, told piece by piece. It reads only when it is read: back-pressure stays. */
function watchSource(source: AnswerSource, exchange: RecordedExchange): AnswerSource {
  const tell = (pieces: readonly Bytes[] | null) => {
    if (pieces === null) exchange.end("server");
    else for (const piece of pieces) exchange.data("server", piece);
    return pieces;
  };
  const broken = (error: unknown): never => {
    exchange.abort("server");
    throw error;
  };
  return {
    next() {
      try {
        const found = source.next();
        return found instanceof Promise ? found.then(tell, broken) : tell(found);
      } catch (error) {
        return broken(error);
      }
    },
    get ended() {
      const { ended } = source;
      if (ended) exchange.end("server");
      return ended;
    },
    discard() {
      exchange.abort("client");
      source.discard();
    },
  };
}
