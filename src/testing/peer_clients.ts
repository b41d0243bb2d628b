/**
 * A client on each transport, of each era, in front of a proxy, on bare sockets.
 *
 * @module
 */

import { openSession } from "./event_client.ts";
import { initialized, modern } from "./messages.ts";
import { exchange, jsonPost, RawClient } from "./raw_client.ts";
import { type CallerFields, sseCaller, sseGet } from "./sse_caller.ts";

/** A client that is ready to call. */
export interface PeerClient {
  /** Ids that stand for its session, if it has one. */
  readonly secrets: readonly string[];
  /** Sends a call of the tool `t`; waits for nothing that answers it. */
  call(id: number): Promise<void>;
  /** All that has come, header fields too, once this text has. */
  heard(text: string): Promise<string>;
  /** Closes the connection on which the answer is to come. */
  leave(): void;
  /** Comes back behind the last event; undefined where this kind cannot. */
  readonly resume: (() => Promise<void>) | undefined;
}

/** The kinds of clients, by names. */
export type PeerClientKind = keyof typeof PEER_CLIENTS;

/** How each kind begins; the fields go with each request. */
export const PEER_CLIENTS = {
  "session": sessionClient,
  "modern": modernClient,
  "HTTP+SSE": sseClient,
} satisfies Record<string, (origin: string, fields?: CallerFields) => Promise<PeerClient>>;

const META = { progressToken: "token" };
const PARAMS = { name: "t", arguments: {}, _meta: META };

/** One connection and what comes on it. */
class Line {
  #client: RawClient | undefined;
  #hasHead = false;
  #read = "";

  async send(origin: string, request: string | Uint8Array): Promise<void> {
    this.leave();
    this.#client = await RawClient.connect(origin);
    this.#hasHead = false;
    this.#read = "";
    await this.#client.write(request);
  }

  async heard(text: string): Promise<string> {
    const client = this.#client!;
    if (!this.#hasHead) {
      const { status, headers } = await client.readHead();
      this.#hasHead = true;
      this.#read += `${JSON.stringify([...headers])}\n`;
      if (headers.get("transfer-encoding") !== "chunked") {
        const { bytes } = await client.readBody(status, headers);
        this.#read += new TextDecoder().decode(bytes);
      }
    }
    while (!this.#read.includes(text)) {
      const chunk = await client.readChunk();
      if (chunk === null || chunk === "cut") throw new Error(`over behind ${this.#read}`);
      this.#read += chunk;
    }
    return this.#read;
  }

  /** The id of the last event. */
  get lastId(): string {
    return [...this.#read.matchAll(/^id: ?(.*)$/gm)].at(-1)![1]!;
  }

  leave(): void {
    this.#client?.close();
  }
}

async function sessionClient(origin: string, fields: CallerFields = {}): Promise<PeerClient> {
  const session = await openSession(origin, undefined, fields);
  const own = { ...fields, "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" };
  await exchange(origin, jsonPost(initialized, own));
  const line = new Line();
  const body = (id: number) =>
    JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: PARAMS });
  return {
    secrets: [session],
    call: (id) => line.send(origin, jsonPost(body(id), own)),
    heard: (text) => line.heard(text),
    leave: () => line.leave(),
    resume: () => line.send(origin, sseGet("/mcp", { ...own, "last-event-id": line.lastId })),
  };
}

function modernClient(origin: string, fields: CallerFields = {}): Promise<PeerClient> {
  const line = new Line();
  return Promise.resolve({
    secrets: [],
    call: (id) => line.send(origin, modernPost("tools/call", PARAMS, fields, id)),
    heard: (text) => line.heard(text),
    leave: () => line.leave(),
    resume: undefined,
  });
}

/** A POST of a modern client. */
export function modernPost(
  method: string,
  params: Record<string, unknown> = {},
  fields: CallerFields = {},
  id = 1,
): Uint8Array {
  const message = JSON.parse(modern(method, params));
  Object.assign(message.params._meta, params._meta);
  const body = JSON.stringify({ ...message, id });
  const name = typeof params.name === "string" ? { "mcp-name": params.name } : {};
  const own = { "mcp-protocol-version": "2026-07-28", "mcp-method": method };
  return jsonPost(body, { ...own, ...name, ...fields });
}

async function sseClient(origin: string, fields: CallerFields = {}): Promise<PeerClient> {
  const caller = await sseCaller(origin, "/mcp/sse", fields);
  await caller.start();
  let read = "";
  return {
    secrets: [caller.token],
    async call(id) {
      const message = { jsonrpc: "2.0", id, method: "tools/call", params: PARAMS };
      const { status } = await caller.post(JSON.stringify(message));
      if (status !== 202) throw new Error(`${status}`);
    },
    async heard(text) {
      while (!read.includes(text)) read += await caller.next();
      return read;
    },
    leave: () => caller[Symbol.dispose](),
    resume: undefined,
  };
}
