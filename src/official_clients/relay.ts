/**
 * A relay between the proxy and a server, which shows a test what the server gets and says.
 *
 * It is a node:http server: Deno.serve does not tell that a client has gone away before the head of
 * its answer was sent.
 *
 * @module
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Inbox } from "./wait.ts";

/** As much of a JSON-RPC message as tests look at. */
export interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** A request that reached the server. */
export interface Arrival {
  readonly method: string;
  readonly headers: Headers;
  /** The JSON-RPC message in its body, if it has one. */
  readonly message: Message | undefined;
}

/** A request that the server began to answer. */
export interface Exchange extends Arrival {
  readonly answerHeaders: Headers;
}

/** A relay that runs. */
export interface Relay extends AsyncDisposable {
  /** The MCP endpoint for the proxy. */
  readonly url: string;
  readonly arrived: Inbox<Arrival>;
  readonly exchanges: Inbox<Exchange>;
  /** Requests whose connection the proxy closed before their answer was complete. */
  readonly abandoned: Inbox<Arrival>;
  /** Lets only the first piece of answers to this JSON-RPC method through, and leaves them open. */
  holdBack(method: string): void;
}

/** Starts a relay in front of `upstream`. */
export async function startRelay(upstream: string): Promise<Relay> {
  const arrived: Relay["arrived"] = new Inbox();
  const exchanges: Relay["exchanges"] = new Inbox();
  const abandoned: Relay["abandoned"] = new Inbox();
  const heldBack = new Set<string | undefined>();
  // None is kept: over one to a server that was killed a message may or may not have arrived.
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });

  const relay = async (request: IncomingMessage, answer: ServerResponse) => {
    const control = new AbortController();
    const arrival = await read(request);
    answer.on("close", () => {
      if (answer.writableFinished) return;
      control.abort();
      abandoned.push(arrival);
    });
    arrived.push(arrival);
    const { method, headers, message } = arrival;
    const body = message === undefined ? null : JSON.stringify(message);
    const { signal } = control;
    const response = await fetch(upstream, { method, headers, body, signal, client });
    exchanges.push({ ...arrival, answerHeaders: response.headers });
    answer.writeHead(response.status, Object.fromEntries(response.headers));
    answer.flushHeaders();
    for await (const piece of response.body ?? []) {
      answer.write(piece);
      if (heldBack.has(message?.method)) return;
    }
    answer.end();
  };

  const server = createServer((request, answer) => {
    // What fails here has failed for the proxy too, which then gets no whole answer.
    relay(request, answer).catch(() => answer.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    arrived,
    exchanges,
    abandoned,
    holdBack: (method) => void heldBack.add(method),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      client.close();
    },
  };
}

/** Fields that belong to the connection to the relay. */
const HOP_FIELDS = new Set(["host", "content-length", "connection", "transfer-encoding"]);

async function read(request: IncomingMessage): Promise<Arrival> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of request) text += decoder.decode(piece as Uint8Array, { stream: true });
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (!HOP_FIELDS.has(name) && value !== undefined) headers.set(name, String(value));
  }
  const message = text === "" ? undefined : JSON.parse(text) as Message;
  return { method: request.method ?? "", headers, message };
}
