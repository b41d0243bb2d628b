/**
 * The mock upstream: a server on one port that does what a script says, and keeps what reached it.
 *
 * It stands on node:net, because it must be able to reset a connection.
 *
 * @module
 */

import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import {
  type Fields,
  framingOf,
  MessageReader,
  valueOf,
  valuesOf,
  WireError,
} from "../wire/mod.ts";
import { Reply } from "./reply.ts";

/** A request that reached the mock. */
export interface MockRequest {
  /** The number of this request since the last reset, from 0. */
  readonly number: number;
  /** The number of its connection. */
  readonly connection: number;
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  readonly body: Uint8Array;
  /** The body as UTF-8. */
  readonly text: string;
  /** The JSON in the body; undefined where there is none. */
  readonly message: unknown;
  /** The value of a field; undefined where it did not come. */
  field(name: string): string | undefined;
  /** The values of a field, as often as it came. */
  values(name: string): string[];
}

/** Answers one request; a script that throws or returns without an answer resets the connection. */
export type MockScript = (request: MockRequest, reply: Reply) => Promise<void> | void;

/** The most requests kept between two resets. */
const MAX_REQUESTS = 50_000;

interface Waiter {
  readonly matches: (request: MockRequest) => boolean;
  readonly resolve: (request: MockRequest) => void;
}

/** A mock upstream that listens. */
export class MockUpstream implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #replies = new Set<Reply>();
  #script: MockScript;
  #requests: MockRequest[] = [];
  #problems: string[] = [];
  #waiters: Waiter[] = [];
  #connections = 0;
  #epoch = 0;
  /** Sessions of this case, and those of the cases before it. */
  readonly #sessions = new Set<string>();
  readonly #pastSessions = new Set<string>();

  private constructor(server: Server) {
    this.#server = server;
    this.#script = refuse;
    server.on("connection", (socket) => void this.#serve(socket));
  }

  /** Listens on a port of 127.0.0.1; 0 picks a free one. */
  static async listen(port = 0, hostname = "127.0.0.1"): Promise<MockUpstream> {
    const server = createServer({ noDelay: true, allowHalfOpen: false });
    const mock = new MockUpstream(server);
    server.listen(port, hostname);
    await once(server, "listening");
    return mock;
  }

  /** The port it listens on. */
  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Its address as a proxy writes it in a Host field. */
  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The requests that arrived whole since the last reset. */
  get requests(): readonly MockRequest[] {
    return this.#requests;
  }

  /** What reached it that is no HTTP/1.1, since the last reset. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Connections made to it since it listens. */
  get connections(): number {
    return this.#connections;
  }

  /** Has `script` answer from now on. */
  use(script: MockScript): void {
    this.#script = script;
  }

  /** The first request since the last reset that matches, as soon as it is there. */
  arrival(matches: (request: MockRequest) => boolean = () => true): Promise<MockRequest> {
    const here = this.#requests.find(matches);
    if (here !== undefined) return Promise.resolve(here);
    return new Promise((resolve) => this.#waiters.push({ matches, resolve }));
  }

  /** The `count`th request since the last reset that matches (from 1), as soon as it is there. */
  nth(
    count: number,
    matches: (request: MockRequest) => boolean = () => true,
  ): Promise<MockRequest> {
    let seen = 0;
    const taken = new Set<MockRequest>();
    return this.arrival((request) => {
      if (taken.has(request) || !matches(request)) return false;
      taken.add(request);
      return ++seen === count;
    });
  }

  /**
   * Forgets everything, and cuts the answers that are not complete; idle connections stay. A proxy that
   * opens broken streams again may still come for those of a case that is over: such requests get 405,
   * and no case sees them.
   */
  reset(): void {
    this.#epoch++;
    for (const id of this.#sessions) this.#pastSessions.add(id);
    this.#sessions.clear();
    this.#script = refuse;
    this.#requests = [];
    this.#problems = [];
    this.#waiters = [];
    for (const reply of this.#replies) reply.close();
    this.#replies.clear();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.reset();
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #serve(socket: Socket): Promise<void> {
    const connection = this.#connections++;
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    const reader = new MessageReader(pullFrom(socket));
    try {
      while (await this.#serveOne(socket, reader, connection));
    } catch (error) {
      this.#problems.push(error instanceof WireError ? error.message : String(error));
    } finally {
      socket.destroy();
    }
  }

  async #serveOne(socket: Socket, reader: MessageReader, connection: number): Promise<boolean> {
    const head = await reader.head();
    if (head === null) return false;
    const { fields, startLine } = head;
    const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(startLine) ?? [];
    if (method === undefined || target === undefined) {
      throw new WireError(`no request: ${startLine}`);
    }
    const body = reader.body(framingOf(fields, 0));
    const bytes = await body.bytes();
    if (!body.complete) throw new WireError(`the body of ${startLine} was cut short`);
    const text = new TextDecoder().decode(bytes);
    const request: MockRequest = {
      number: this.#requests.length,
      connection,
      method,
      target,
      fields,
      body: bytes,
      text,
      message: parsed(text),
      field: (name) => valueOf(fields, name),
      values: (name) => valuesOf(fields, name),
    };
    const asksForEnd = /\bclose\b/i.test(request.field("connection") ?? "");
    const session = request.field("mcp-session-id");
    if (session !== undefined && this.#pastSessions.has(session)) {
      return await this.#answer(request, socket, sessionOver) && !asksForEnd;
    }
    if (session !== undefined) this.#sessions.add(session);
    this.#note(request);
    return await this.#answer(request, socket, this.#script) && !asksForEnd;
  }

  #note(request: MockRequest): void {
    if (this.#requests.length < MAX_REQUESTS) this.#requests.push(request);
    this.#waiters = this.#waiters.filter(({ matches, resolve }) => {
      if (!matches(request)) return true;
      resolve(request);
      return false;
    });
  }

  #assigned(session: string): void {
    this.#sessions.add(session);
    this.#pastSessions.delete(session);
  }

  /** Whether the connection can take another request. */
  async #answer(request: MockRequest, socket: Socket, script: MockScript): Promise<boolean> {
    const epoch = this.#epoch;
    const reply = new Reply(socket, request.method, (name, value) => {
      if (name.toLowerCase() === "mcp-session-id") this.#assigned(value);
    });
    this.#replies.add(reply);
    try {
      await script(request, reply);
      // A script may leave a stream open for its check to go on with.
      await Promise.race([reply.done, reply.gone]);
    } catch (error) {
      if (epoch === this.#epoch && !reply.isGone) this.#problems.push(`script: ${error}`);
      reply.reset();
    } finally {
      this.#replies.delete(reply);
    }
    return reply.reusable;
  }
}

/** What answers where no check is running: a request that comes late belongs to nobody. */
const refuse: MockScript = (_, reply) => reply.json({ error: "no check is running" }, 503);

/**
 * What answers in a session of a case that is over: nothing is to be had here any more. Not 404, on which a
 * proxy may begin a new session in the place of its client, in the middle of the next case.
 */
export const sessionOver: MockScript = (_, reply) =>
  reply.json({ error: "this session is over" }, 405);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Gives what a socket received, piece by piece. */
function pullFrom(socket: Socket): () => Promise<Uint8Array | null> {
  const pieces: Uint8Array[] = [];
  let ended = false;
  let wake: (() => void) | undefined;
  const note = () => {
    wake?.();
    wake = undefined;
  };
  socket.on("data", (piece: Uint8Array) => {
    pieces.push(piece);
    note();
  });
  for (const end of ["end", "close", "error"]) {
    socket.on(end, () => {
      ended = true;
      note();
    });
  }
  return async () => {
    while (pieces.length === 0 && !ended) await new Promise<void>((resolve) => wake = resolve);
    return pieces.shift() ?? null;
  };
}
