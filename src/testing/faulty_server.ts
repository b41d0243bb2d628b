/**
 * A server on each HTTP transport, of each era, that answers everything by itself but for the methods for which a
 * test has it fail, and counts what has come.
 *
 * @module
 */

import {
  jsonAnswer,
  type ReceivedRequest,
  type ScriptedConnection,
  scriptedUpstream,
} from "./scripted_upstream.ts";

/** What it does with a request instead, or ahead of the usual where that is `usual`; a text is written as it is. */
export type Fault =
  | string
  | ((to: ScriptedConnection, request: ReceivedRequest) => Ahead | Promise<Ahead>);

/** Whether the request is seen to as usual behind it. */
type Ahead = "usual" | void;

/** The server. */
export interface FaultyServer extends AsyncDisposable {
  /** What `upstream` of a config says of it. */
  readonly upstream: Readonly<Record<string, unknown>>;
  /** Faults by the methods of JSON-RPC, or of HTTP where there is no message. */
  readonly faults: Map<string, Fault>;
  /** The methods of all requests, in the order in which they came; GET and DELETE are ones. */
  readonly told: readonly string[];
  /** How often a method came. */
  count(method: string): number;
  /** How often a method was carried out. */
  ran(method: string): number;
  /** How many GET streams are open. */
  readonly streams: number;
  /** Says something on all GET streams. */
  say(message: object): Promise<void>;
  /** Forgets all sessions and breaks all connections off, as if it had been started again. */
  restart(): void;
}

/** The kinds of servers, by names. */
export type FaultyServerKind = keyof typeof FAULTY_SERVERS;

/** How each kind is started. */
export const FAULTY_SERVERS = {
  "session": () => httpServer("session"),
  "modern": () => httpServer("modern"),
  "HTTP+SSE": sseServer,
} satisfies Record<string, () => FaultyServer>;

/** The beginning of an event stream that ends with the last chunk. */
export const CHUNKED_STREAM = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";

const ACCEPTED = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const UNKNOWN = jsonAnswer("{}", {}, "404 Not Found");

const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: {},
  resources: { subscribe: true },
  completions: {},
  logging: {},
};

interface Asked {
  readonly id?: unknown;
  readonly method: string;
  readonly params?: { readonly protocolVersion?: string };
}

/** Text as a chunk. */
export function chunkOf(text: string): string {
  return `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
}

function asked({ body, line }: ReceivedRequest): Asked {
  if (body.length === 0) return { method: line.split(" ")[0]! };
  return JSON.parse(new TextDecoder().decode(body));
}

function resultOf({ method, params }: Asked, isModern: boolean): Record<string, unknown> {
  const serverInfo = { name: "faulty", version: "1" };
  const cached = { ttlMs: 0, cacheScope: "private" };
  const capabilities = CAPABILITIES;
  const results: Readonly<Record<string, Record<string, unknown>>> = {
    "initialize": { protocolVersion: params?.protocolVersion, capabilities, serverInfo },
    "server/discover": { supportedVersions: ["2026-07-28"], capabilities, ...cached },
    "tools/list": { tools: [{ name: "t", inputSchema: { type: "object" } }], ...cached },
    "tools/call": { content: [] },
  };
  return { ...(isModern && { resultType: "complete" }), ...results[method] };
}

/** Notes what has come, and has faults happen. */
class Faults {
  readonly faults = new Map<string, Fault>();
  readonly told: string[] = [];
  readonly ran: string[] = [];
  readonly connections = new Set<ScriptedConnection>();
  readonly streams = new Set<ScriptedConnection>();

  /** Whether a fault has seen to a request. */
  async met(message: Asked, request: ReceivedRequest, to: ScriptedConnection): Promise<boolean> {
    this.told.push(message.method);
    this.connections.add(to);
    const fault = this.faults.get(message.method);
    if (fault === undefined) return false;
    const ahead = await (typeof fault === "string" ? to.write(fault) : fault(to, request));
    return ahead !== "usual";
  }

  /** Begins a GET stream. */
  async open(to: ScriptedConnection, first: string): Promise<void> {
    await to.write(CHUNKED_STREAM + chunkOf(first));
    this.streams.add(to);
    to.closed.then(() => this.streams.delete(to));
  }

  breakAll(): void {
    this.streams.clear();
    for (const to of this.connections) to.close();
    this.connections.clear();
  }

  /** The server as tests see it. */
  server(
    upstream: Readonly<Record<string, unknown>>,
    forget: () => void,
    close: () => Promise<void>,
  ): FaultyServer {
    const { streams } = this;
    return {
      upstream,
      get streams() {
        return streams.size;
      },
      async say(message) {
        const event = chunkOf(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
        for (const to of streams) await to.write(event);
      },
      faults: this.faults,
      told: this.told,
      count: (method) => this.told.filter((one) => one === method).length,
      ran: (method) => this.ran.filter((one) => one === method).length,
      restart: () => {
        forget();
        this.breakAll();
      },
      [Symbol.asyncDispose]: close,
    };
  }
}

function httpServer(era: "session" | "modern"): FaultyServer {
  const faults = new Faults();
  let known = new Set<string>();
  let begun = 0;
  const upstream = scriptedUpstream(async (request, to) => {
    const message = asked(request);
    if (await faults.met(message, request, to)) return;
    const { id, method } = message;
    const session = request.field("mcp-session-id");
    const fields: Record<string, string> = {};
    if (era === "session" && method === "initialize") {
      fields["mcp-session-id"] = `inner-${++begun}`;
      known.add(`inner-${begun}`);
    } else if (era === "session" && !known.has(session ?? "")) return await to.write(UNKNOWN);
    faults.ran.push(method);
    if (method === "GET") return await faults.open(to, ": there\n\n");
    if (method === "DELETE") known.delete(session!);
    if (id === undefined) return await to.write(ACCEPTED);
    const result = resultOf(message, era === "modern");
    await to.write(jsonAnswer(JSON.stringify({ jsonrpc: "2.0", id, result }), fields));
  });
  return faults.server({ url: upstream.url, era }, () => known = new Set(), upstream.close);
}

function sseServer(): FaultyServer {
  const faults = new Faults();
  let streams = new Map<string, ScriptedConnection>();
  let begun = 0;
  const upstream = scriptedUpstream(async (request, to) => {
    const message = asked(request);
    if (await faults.met(message, request, to)) return;
    if (message.method === "GET") {
      const name = `inner-${++begun}`;
      streams.set(name, to);
      const endpoint = `event: endpoint\ndata: /messages?sessionId=${name}\n\n`;
      return await faults.open(to, endpoint);
    }
    const stream = streams.get(/sessionId=(\S+)/.exec(request.line)?.[1] ?? "");
    if (stream === undefined) return await to.write(UNKNOWN);
    faults.ran.push(message.method);
    await to.write(ACCEPTED);
    const { id } = message;
    if (id === undefined) return;
    const text = JSON.stringify({ jsonrpc: "2.0", id, result: resultOf(message, false) });
    await stream.write(chunkOf(`event: message\ndata: ${text}\n\n`));
  });
  const told = { url: upstream.url.replace("/mcp", "/sse"), transport: "http+sse" };
  return faults.server(told, () => streams = new Map(), upstream.close);
}
