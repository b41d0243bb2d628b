/**
 * A relay between the proxy and a server, which shows a test what the server gets and says.
 *
 * It changes nothing but Host; so what goes wrong with it in between goes wrong without it.
 *
 * @module
 */

import { Inbox } from "./wait.ts";

/** One request that reached the server, and the head of its answer. */
export interface Exchange {
  readonly method: string;
  readonly headers: Headers;
  /** The JSON-RPC message in its body, if it has one. */
  readonly message: Message | undefined;
  readonly status: number;
  readonly answerHeaders: Headers;
}

/** As much of a JSON-RPC message as tests look at. */
export interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
}

/** A relay that runs. */
export interface Relay extends AsyncDisposable {
  /** The MCP endpoint for the proxy. */
  readonly url: string;
  /** Messages and bodiless requests, as they arrive. */
  readonly arrived: Inbox<Pick<Exchange, "method" | "headers" | "message">>;
  /** Exchanges whose answer has begun. */
  readonly exchanges: Inbox<Exchange>;
  /** Messages whose answer the proxy stopped listening to. */
  readonly abandoned: Inbox<Message | undefined>;
}

/** Starts a relay in front of `upstream`. */
export function startRelay(upstream: string): Relay {
  const arrived: Relay["arrived"] = new Inbox();
  const exchanges: Relay["exchanges"] = new Inbox();
  const abandoned: Relay["abandoned"] = new Inbox();
  const force = new AbortController();

  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    signal: force.signal,
    onListen: () => {},
  }, async (request) => {
    const { method, headers, signal } = request;
    const body = await request.text();
    const message = body === "" ? undefined : JSON.parse(body) as Message;
    arrived.push({ method, headers, message });
    signal.addEventListener("abort", () => abandoned.push(message), { once: true });
    try {
      const response = await fetch(upstream, {
        method,
        headers: without(headers, ["host", "content-length", "connection"]),
        body: body === "" ? null : body,
        signal,
      });
      exchanges.push({
        method,
        headers,
        message,
        status: response.status,
        answerHeaders: response.headers,
      });
      return new Response(response.body, response);
    } catch (error) {
      if (!signal.aborted) throw error;
      return new Response(null, { status: 499 });
    }
  });

  return {
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    arrived,
    exchanges,
    abandoned,
    [Symbol.asyncDispose]: async () => {
      force.abort();
      await server.finished;
    },
  };
}

function without(headers: Headers, names: readonly string[]): Headers {
  const rest = new Headers(headers);
  for (const name of names) rest.delete(name);
  return rest;
}
