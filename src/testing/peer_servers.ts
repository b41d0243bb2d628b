/**
 * A server on each transport, of each era, that a test speaks for: it answers by itself but for `tools/call`,
 * which waits for the test.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";
import { packageEnv } from "./processes.ts";
import { PROJECT } from "./program.ts";
import {
  jsonAnswer,
  type ReceivedRequest,
  type ScriptedConnection,
  scriptedUpstream,
} from "./scripted_upstream.ts";
import type { Rpc } from "./share.ts";

/** A call that has arrived. */
export interface PeerCall {
  /** Its id, as it came. */
  readonly id: string | number;
  /** The message. */
  readonly message: Rpc;
  /** Tells of progress, with this text. */
  progress(text: string): Promise<void>;
  /** Asks the client for something, under this id. */
  ask(id: number): Promise<void>;
  /** Answers it with this text. */
  answer(text: string): Promise<void>;
  /** Resolves when the connection that is to have the answer is gone. */
  readonly gone: Promise<void>;
}

/** A server. */
export interface PeerServer extends AsyncDisposable {
  /** What `upstream` of a config says of it. */
  readonly upstream: Readonly<Record<string, unknown>>;
  /** Every message that has come; a DELETE is one without an id. */
  readonly messages: readonly Rpc[];
  /** The first message with this method, once it is there. */
  arrived(method: string): Promise<Rpc>;
  /** A call, once it is there. */
  call(index: number): Promise<PeerCall>;
}

/** The beginning of every id of a session that these servers give. */
export const PEER_SESSION = "inner-secret-of-the-server";

/** The kinds of servers, by names. */
export type PeerServerKind = keyof typeof PEER_SERVERS;

/** How each kind is started. */
export const PEER_SERVERS = {
  "session": () => httpServer("session"),
  "HTTP+SSE": sseServer,
  "stdio": () => stdioServer("session"),
  "modern": () => httpServer("modern"),
  "modern stdio": () => stdioServer("modern"),
} satisfies Record<string, () => PeerServer>;

type Era = "session" | "modern";
type Say = (message: object) => Promise<void>;

/** What all kinds have in common. */
class Peer {
  readonly messages: Rpc[] = [];
  readonly calls: PeerCall[] = [];
  #waiting: (() => void)[] = [];
  readonly #era: Era;

  constructor(era: Era) {
    this.#era = era;
  }

  /** Notes a message; the result that answers it at once. */
  take(message: Rpc): Record<string, unknown> | undefined {
    this.messages.push(message);
    this.#wake();
    const { id, method, params } = message;
    if (id === undefined || method === "tools/call") return undefined;
    const complete = this.#era === "modern" ? { resultType: "complete" } : {};
    const cached = { ttlMs: 0, cacheScope: "private" };
    const capabilities = { tools: {} };
    const serverInfo = { name: "peer", version: "1" };
    const results: Readonly<Record<string, Record<string, unknown>>> = {
      "initialize": { protocolVersion: params?.protocolVersion, capabilities, serverInfo },
      "server/discover": { supportedVersions: ["2026-07-28"], capabilities, ...cached },
      "tools/list": { tools: [{ name: "t", inputSchema: { type: "object" } }], ...cached },
    };
    return { ...complete, ...results[method ?? ""] };
  }

  hold(message: Rpc, say: Say, gone: Promise<void>): void {
    const id = message.id!;
    const complete = this.#era === "modern" ? { resultType: "complete" } : {};
    this.calls.push({
      id,
      message,
      gone,
      progress: (text) => {
        const progressToken = message.params?._meta?.progressToken;
        const params = { progressToken, progress: 1, message: text };
        return say({ jsonrpc: "2.0", method: "notifications/progress", params });
      },
      ask: (id) => {
        const params = { message: "?", requestedSchema: { type: "object", properties: {} } };
        return say({ jsonrpc: "2.0", id, method: "elicitation/create", params });
      },
      answer: (text) =>
        say({ jsonrpc: "2.0", id, result: { ...complete, content: [{ type: "text", text }] } }),
    });
    this.#wake();
  }

  async once<T>(find: () => T | undefined): Promise<T> {
    for (let found = find();; found = find()) {
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The server as tests see it. */
  told(upstream: Record<string, unknown>, close: () => Promise<void>): PeerServer {
    let closed: Promise<void> | undefined;
    return {
      upstream,
      messages: this.messages,
      arrived: (method) => this.once(() => this.messages.find((one) => one.method === method)),
      call: (index) => this.once(() => this.calls[index]),
      [Symbol.asyncDispose]: () => closed ??= close(),
    };
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

const STREAM = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "connection: close\r\ntransfer-encoding: chunked\r\n\r\n";
const ACCEPTED = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const NO_GET = "HTTP/1.1 405 No\r\nallow: POST\r\ncontent-length: 0\r\n\r\n";

function chunk(text: string): string {
  return `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
}

const eventOf = (message: object) => chunk(`event: message\ndata: ${JSON.stringify(message)}\n\n`);

function messageIn({ body, line }: ReceivedRequest): Rpc {
  if (body.length === 0) return { method: line.split(" ")[0]! };
  return JSON.parse(new TextDecoder().decode(body));
}

function httpServer(era: Era): PeerServer {
  const peer = new Peer(era);
  let sessions = 0;
  const { url, close } = scriptedUpstream(async (request, to) => {
    if (request.line.startsWith("GET")) return await to.write(NO_GET);
    const message = messageIn(request);
    const result = peer.take(message);
    if (message.method === "tools/call") return peer.hold(message, sayOn(to), to.closed);
    if (result === undefined) return await to.write(ACCEPTED);
    const begins = message.method === "initialize";
    const fields = begins ? { "mcp-session-id": `${PEER_SESSION}-${++sessions}` } : {};
    const answer = JSON.stringify({ jsonrpc: "2.0", id: message.id, result });
    await to.write(jsonAnswer(answer, fields));
  });
  return peer.told({ url, era }, close);
}

/** Writes an answer as a stream, which ends with the response. */
function sayOn(to: ScriptedConnection): Say {
  let hasBegun = false;
  return async (message) => {
    const head = hasBegun ? "" : STREAM;
    hasBegun = true;
    await to.write(head + eventOf(message) + ("result" in message ? "0\r\n\r\n" : ""));
  };
}

function sseServer(): PeerServer {
  const peer = new Peer("session");
  const streams: ScriptedConnection[] = [];
  const { url, close } = scriptedUpstream(async (request, to) => {
    if (request.line.startsWith("GET")) {
      const endpoint = `/messages?sessionId=${PEER_SESSION}-${streams.push(to)}`;
      return await to.write(STREAM + chunk(`event: endpoint\ndata: ${endpoint}\n\n`));
    }
    const stream = streams[Number(/-(\d+) /.exec(request.line)![1]) - 1]!;
    const message = messageIn(request);
    await to.write(ACCEPTED);
    const result = peer.take(message);
    const say: Say = (one) => stream.write(eventOf(one));
    if (message.method === "tools/call") return peer.hold(message, say, stream.closed);
    if (result !== undefined) await say({ jsonrpc: "2.0", id: message.id, result });
  });
  return peer.told({ url: url.replace("/mcp", "/sse"), transport: "http+sse" }, close);
}

function stdioServer(era: Era): PeerServer {
  const peer = new Peer(era);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving: Promise<void>[] = [];
  const connections: Deno.TcpConn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      serving.push(serveLines(peer, connection));
    }
  })();
  const stdio = {
    command: Deno.execPath(),
    args: ["run", "-A", "--quiet", "src/testing/line_relay.ts", `${listener.addr.port}`],
    env: packageEnv(),
    cwd: new URL(".", PROJECT).pathname,
  };
  return peer.told({ stdio, era }, async () => {
    listener.close();
    for (const connection of connections) {
      try {
        connection.close();
      } catch {
        // Closed already.
      }
    }
    await accepting.catch(() => {});
    await Promise.all(serving);
  });
}

async function serveLines(peer: Peer, connection: Deno.TcpConn): Promise<void> {
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const writer = connection.writable.getWriter();
  const say: Say = (one) => writer.write(new TextEncoder().encode(`${JSON.stringify(one)}\n`));
  const lines = connection.readable.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  try {
    for await (const line of lines) {
      const message: Rpc = JSON.parse(line);
      const result = peer.take(message);
      if (message.method === "tools/call") peer.hold(message, say, gone);
      else if (result !== undefined) await say({ jsonrpc: "2.0", id: message.id, result });
    }
  } catch {
    // The program has gone.
  }
  resolve();
  await writer.close().catch(() => {});
}
