/**
 * A fetch for the transports of official clients which tells a conversation what passes through.
 *
 * @module
 */

import { Arrivals } from "./waiting.ts";

/** An answer whose head has arrived. */
export interface SeenAnswer {
  /** The HTTP method of the request. */
  readonly verb: string;
  /** The JSON-RPC method of the request, if it had one. */
  readonly method: string | undefined;
  readonly status: number;
}

/**
 * Fetches so that an abort surely closes the connection. With a signal that several requests share,
 * as the SDKs' do, Deno 2.9.5 leaves one in twenty streams open if it aborts just after another
 * request was answered; a body that is cancelled is always closed.
 */
async function fetchReleased(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const { signal, ...rest } = init;
  if (!signal) return await fetch(url, rest);
  const beforeHead = new AbortController();
  const abort = () => beforeHead.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  const response = await fetch(url, { ...rest, signal: beforeHead.signal });
  signal.removeEventListener("abort", abort);
  return response.body === null
    ? response
    : new Response(cancellable(response.body, signal), response);
}

/** A body that is cancelled, and ends in an error, when `signal` aborts. */
function cancellable(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  return new ReadableStream({
    start(controller) {
      signal.addEventListener("abort", () => {
        controller.error(signal.reason);
        void reader.cancel(signal.reason);
      }, { once: true });
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/** Sees the answers to all requests of a client. */
export class FetchWatch {
  readonly #answers = new Arrivals<SeenAnswer>();

  /** Hand this to the transport. */
  readonly fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const method = typeof init?.body === "string"
      ? (JSON.parse(init.body) as { method?: string }).method
      : undefined;
    const response = await fetchReleased(url, init);
    this.#answers.push({ verb: init?.method ?? "GET", method, status: response.status });
    return response;
  };

  /** Resolves once the GET stream is open, or refused. */
  async listening(signal: AbortSignal): Promise<void> {
    await this.#answers.first(({ verb }) => verb === "GET", signal);
  }

  /** Resolves once a request of this JSON-RPC method has the head of its answer. */
  async answered(method: string, signal: AbortSignal): Promise<void> {
    await this.#answers.first((answer) => answer.method === method, signal);
  }
}
