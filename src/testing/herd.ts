/**
 * Thousands of clients that come back together, and the server that they share: sockets with little memory each.
 *
 * @module
 */

import { initialize, initializeResult } from "./messages.ts";
import { jsonAnswer } from "./scripted_upstream.ts";
import { jsonPost } from "./raw_client.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");
const READ_BYTES = 2_048;

/** A socket, and what was read of it. */
class Line {
  readonly #conn: Deno.TcpConn;
  readonly #piece = new Uint8Array(READ_BYTES);
  #text = "";

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    conn.setNoDelay(true);
  }

  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** Everything to the end of what `pattern` matches first, which is taken; undefined where it does not come. */
  async until(pattern: RegExp): Promise<RegExpExecArray | undefined> {
    for (;;) {
      const found = pattern.exec(this.#text);
      if (found !== null) {
        this.#text = this.#text.slice(found.index + found[0].length);
        return found;
      }
      const read = await this.#conn.read(this.#piece).catch(() => null);
      if (read === null) return undefined;
      this.#text += decoder.decode(this.#piece.subarray(0, read));
    }
  }

  /** So many bytes; fewer where they do not come. */
  async take(length: number): Promise<string> {
    while (this.#text.length < length) {
      const read = await this.#conn.read(this.#piece).catch(() => null);
      if (read === null) break;
      this.#text += decoder.decode(this.#piece.subarray(0, read));
    }
    const taken = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return taken;
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // Closed already.
    }
  }
}

/** The server. */
export interface HerdServer extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string;
  /** How often each was asked for: `initialize`, `ping`, `GET`, `DELETE` and so on. */
  readonly counts: ReadonlyMap<string, number>;
  /** The most requests at one time that had come and were not answered yet, those for event streams among them. */
  readonly mostCalls: number;
  /** The sessions of all GETs, in the order in which they came. */
  readonly gets: readonly string[];
  /** Event streams that are open. */
  readonly streams: number;
  /** Begins to count anew. */
  reset(): void;
  /** Breaks all connections off, event streams first, in the order in which they began. */
  breakAll(): void;
  /** Forgets all sessions. */
  forget(): void;
  /** Takes no connections until `open`. */
  refuse(): Promise<void>;
  /** Takes connections again, on the same port. */
  open(): void;
}

/** Chunked, so that a break is told from an end. */
const STREAM = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";
const UNKNOWN = jsonAnswer("{}", {}, "404 Not Found");
const ACCEPTED = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const GONE = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

const EVENT = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}';

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

class Herd implements HerdServer {
  readonly #thinkMs: number;
  #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #port = this.#listener.addr.port;
  #accepting = this.#accept();
  #isOpen = true;
  readonly #lines = new Set<Line>();
  readonly #streaming = new Set<Line>();
  readonly #serving = new Set<Promise<void>>();
  #known = new Set<string>();
  #begun = 0;
  #calls = 0;
  counts = new Map<string, number>();
  mostCalls = 0;
  gets: string[] = [];

  constructor(thinkMs: number) {
    this.#thinkMs = thinkMs;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}/mcp`;
  }

  get streams() {
    return this.#streaming.size;
  }

  reset() {
    this.counts = new Map();
    this.gets = [];
    this.mostCalls = this.#calls;
  }

  breakAll() {
    const broken = [...this.#streaming, ...this.#lines];
    // At once, and not when each notices: what comes by then is new.
    this.#streaming.clear();
    this.#lines.clear();
    for (const line of broken) line.close();
  }

  forget() {
    this.#known = new Set();
  }

  async refuse() {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#listener.close();
    await this.#accepting;
  }

  open() {
    this.#isOpen = true;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.#port });
    this.#accepting = this.#accept();
  }

  async [Symbol.asyncDispose]() {
    await this.refuse();
    this.breakAll();
    await Promise.all(this.#serving);
  }

  async #accept(): Promise<void> {
    const listener = this.#listener;
    try {
      for await (const conn of listener) {
        const line = new Line(conn);
        this.#lines.add(line);
        const serving = this.#serve(line).catch(() => {}).finally(() => {
          this.#lines.delete(line);
          this.#streaming.delete(line);
          line.close();
          this.#serving.delete(serving);
        });
        this.#serving.add(serving);
      }
    } catch {
      // Closed while it waited.
    }
  }

  async #serve(line: Line): Promise<void> {
    for (;;) {
      const head = await line.until(/^[^]*?\r\n\r\n/);
      if (head === undefined) return;
      const length = Number(/\ncontent-length: (\d+)/i.exec(head[0])?.[1] ?? 0);
      const body = await line.take(length);
      const session = /\nmcp-session-id: (.*?)\r/i.exec(head[0])?.[1];
      const message = body === "" ? {} : JSON.parse(body);
      const method: string = message.method ?? head[0].split(" ")[0];
      this.counts.set(method, (this.counts.get(method) ?? 0) + 1);
      if (method === "GET") this.gets.push(session!);
      await this.#think();
      if (!this.#lines.has(line)) return;
      // Ahead of the head: whoever has read that may connect again at once.
      if (method === "GET" && this.#known.has(session!)) this.#streaming.add(line);
      await line.write(this.#answer(method, message.id, session));
    }
  }

  /** Counts a request until it may be answered: from then on its connection may carry the next. */
  async #think(): Promise<void> {
    this.mostCalls = Math.max(this.mostCalls, ++this.#calls);
    if (this.#thinkMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#thinkMs));
    this.#calls--;
  }

  #answer(method: string, id: unknown, session: string | undefined): string {
    if (method === "initialize") {
      const name = `inner-${++this.#begun}`;
      this.#known.add(name);
      return jsonAnswer(initializeResult(), { "mcp-session-id": name });
    }
    if (session === undefined || !this.#known.has(session)) return UNKNOWN;
    if (method === "GET") return STREAM + chunk(`id: ${session}\ndata: ${EVENT}\n\n`);
    if (method === "DELETE") return this.#known.delete(session) ? GONE : UNKNOWN;
    if (id === undefined) return ACCEPTED;
    return jsonAnswer(JSON.stringify({ jsonrpc: "2.0", id, result: {} }));
  }
}

/** Starts a server that thinks about each request for a time. */
export function herdServer(thinkMs = 0): HerdServer {
  return new Herd(thinkMs);
}

/** An answer with a length. */
export interface HerdAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** One client: a connection and a session. */
export class HerdClient {
  readonly #origin: URL;
  #line: Line | undefined;
  /** Its session, once there is one. */
  session = "";
  /** The last event that it has. */
  lastEventId = "";

  /** A client without a connection. */
  constructor(origin: string) {
    this.#origin = new URL(origin);
  }

  /** Connects, in place of the connection that it had. */
  async connect(): Promise<void> {
    this.close();
    const { hostname, port } = this.#origin;
    this.#line = new Line(await Deno.connect({ hostname, port: Number(port) }));
  }

  /** Opens a session. */
  async open(): Promise<HerdAnswer> {
    const answer = await this.#ask(jsonPost(initialize()));
    this.session = /\nmcp-session-id: (.*?)\r/i.exec(answer.head)?.[1] ?? "";
    return answer;
  }

  /** Sends a message in its session. */
  post(body: string): Promise<HerdAnswer> {
    return this.#ask(jsonPost(body, { "mcp-session-id": this.session }));
  }

  /** Opens its stream, behind the last event that it has; the status. */
  async listen(): Promise<number> {
    const last = this.lastEventId === "" ? "" : `last-event-id: ${this.lastEventId}\r\n`;
    await this.#line!.write(
      "GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n" +
        `mcp-session-id: ${this.session}\r\n${last}\r\n`,
    );
    const head = await this.#line!.until(/^HTTP\/1.1 (\d+)[^]*?\r\n\r\n/);
    return Number(head?.[1] ?? 0);
  }

  /** The data of the next event that has some; undefined where the stream ends. */
  async event(): Promise<string | undefined> {
    const found = await this.#line!.until(/id: (.*)\n(?:event: .*\n)?data: (.+)\n\n/);
    if (found !== undefined) this.lastEventId = found[1]!;
    return found?.[2];
  }

  /** The same client on a connection of its own, for the time being without it. */
  again(): HerdClient {
    const other = new HerdClient(this.#origin.href);
    other.session = this.session;
    return other;
  }

  /** Closes its connection. */
  close(): void {
    this.#line?.close();
  }

  async #ask(request: Uint8Array): Promise<HerdAnswer> {
    await this.#line!.write(request);
    const head = await this.#line!.until(/^HTTP\/1.1 (\d+)[^]*?\r\n\r\n/);
    if (head === undefined) return { status: 0, head: "", body: "" };
    const length = Number(/\ncontent-length: (\d+)/i.exec(head[0])?.[1] ?? 0);
    const body = await this.#line!.take(length);
    return { status: Number(head[1]), head: head[0], body };
  }
}

/** Does something for all, at most `atOnce` at a time. */
export async function forAll<T, R>(
  all: readonly T[],
  act: (one: T) => Promise<R>,
  atOnce = 256,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < all.length; at = next++) results[at] = await act(all[at]!);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, worker));
  return results;
}
