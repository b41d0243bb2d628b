/**
 * A client at each front, of each era, that asks for one thing after the other.
 *
 * @module
 */

import { begin } from "./event_client.ts";
import { initialize, initialized } from "./messages.ts";
import { modernPost } from "./peer_clients.ts";
import { exchange, jsonPost, type RawResponse } from "./raw_client.ts";
import { sseCaller } from "./sse_caller.ts";

/** What came of a request. */
export interface Asked {
  /** The HTTP status; undefined where the answer came on a stream for everything. */
  readonly status: number | undefined;
  /** What `Retry-After` says. */
  readonly retryAfter: string | undefined;
  /** The response. */
  readonly response: {
    readonly id?: unknown;
    readonly result?: unknown;
    readonly error?: { readonly code: number; readonly message: string };
  };
  /** All that the client was given. */
  readonly text: string;
}

/** A client that is ready. */
export interface Asker extends Disposable {
  /** Sends a request under an id of its own. */
  ask(method: string, params?: Record<string, unknown>): Promise<Asked>;
  /** Sends a notification. */
  tell(method: string, params?: Record<string, unknown>): Promise<RawResponse>;
  /** Its session, where a header field names it. */
  readonly session: string | undefined;
  /** Goes on at another origin. */
  move(origin: string): void;
}

/** The kinds of clients, by names. */
export type AskerKind = keyof typeof ASKERS;

/** How each kind begins. */
export const ASKERS = {
  "session": sessionAsker,
  "modern": modernAsker,
  "HTTP+SSE": sseAsker,
} satisfies Record<string, (origin: string, path?: string) => Promise<Asker>>;

/** An answer, also where it is a stream: the last event that has data is the response then. */
async function answerTo(origin: string, request: Uint8Array, id: number): Promise<Asked> {
  using stream = await begin(origin, request);
  const { status, headers } = stream;
  let text = "";
  if (headers.get("transfer-encoding") === "chunked") {
    for (let next = await stream.next(); next !== null; next = await stream.next()) {
      if (next === "cut") throw new Error(`the answer to ${id} broke off behind ${text}`);
      if (next.data) text = next.data;
    }
  } else text = await stream.text();
  return { status, retryAfter: headers.get("retry-after"), response: JSON.parse(text), text };
}

async function sessionAsker(first: string, path = "/mcp"): Promise<Asker> {
  let origin = first;
  const opened = await exchange(origin, jsonPost(initialize(), {}, path));
  const session = opened.headers.get("mcp-session-id");
  if (session === undefined) throw new Error(`initialize was answered with ${opened.status}`);
  const own = { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" };
  await exchange(origin, jsonPost(initialized, own, path));
  let serial = 100;
  return {
    session,
    move: (to) => void (origin = to),
    ask(method, params = {}) {
      const id = ++serial;
      const body = JSON.stringify({ jsonrpc: "2.0", id, method, params });
      return answerTo(origin, jsonPost(body, own, path), id);
    },
    tell: (method, params = {}) =>
      exchange(origin, jsonPost(JSON.stringify({ jsonrpc: "2.0", method, params }), own, path)),
    [Symbol.dispose]: () => {},
  };
}

function modernAsker(
  first: string,
  _path?: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<Asker> {
  let origin = first;
  let serial = 100;
  return Promise.resolve({
    session: undefined,
    move: (to: string) => void (origin = to),
    ask(method, params = {}) {
      const id = ++serial;
      const name = typeof params.uri === "string" ? { "mcp-name": params.uri } : {};
      return answerTo(origin, modernPost(method, params, { ...fields, ...name }, id), id);
    },
    tell: () => Promise.reject(new Error("a modern client has nothing to tell")),
    [Symbol.dispose]: () => {},
  });
}

async function sseAsker(origin: string): Promise<Asker> {
  const caller = await sseCaller(origin);
  await caller.start();
  let serial = 100;
  const waiting = new Map<number, (text: string) => void>();
  const reading = (async () => {
    for (;;) {
      const text = await caller.next();
      waiting.get(JSON.parse(text).id)?.(text);
    }
  })();
  reading.catch(() => {});
  return {
    session: undefined,
    move: () => {
      throw new Error("a client of HTTP+SSE has its stream in one place");
    },
    async ask(method, params = {}) {
      const id = ++serial;
      const { promise, resolve } = Promise.withResolvers<string>();
      waiting.set(id, resolve);
      const { status } = await caller.post(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
      if (status !== 202) throw new Error(`the POST was answered with ${status}`);
      const text = await promise;
      return { status: undefined, retryAfter: undefined, response: JSON.parse(text), text };
    },
    tell: (method, params = {}) => caller.post(JSON.stringify({ jsonrpc: "2.0", method, params })),
    [Symbol.dispose]: () => caller[Symbol.dispose](),
  };
}
