/**
 * The proxy's own server for clients: HTTP/1.1 on `Deno.listen`.
 *
 * @module
 */

import { Deadlines } from "../deadlines.ts";
import { ProxyError } from "../errors.ts";
import { type ConnectionContext, ServerConnection } from "./connection.ts";
import { HttpDate } from "./date.ts";
import type { HttpServer, ServerOptions } from "./server.ts";

/** Connections over the limit that are told so at one time; further ones are closed without a word. */
const MAX_TURNED_AWAY = 64;

/** How long a connection that is about to be closed is read on, in milliseconds. */
export const LINGER_MS = 2_000;

/** The wait after a connection could not be taken, in milliseconds. */
const ACCEPT_PAUSE_MS = 100;

/** Listens. */
export function switchyardServer(options: ServerOptions): HttpServer {
  const { hostname, port } = options;
  return new Listener(Deno.listen({ hostname, port }), options);
}

/** What a listener takes connections from. */
export type Acceptor = Pick<Deno.TcpListener, "accept" | "addr" | "close">;

/** A listener and its connections. */
export class Listener implements HttpServer {
  /** See `HttpServer`. */
  readonly address: Deno.NetAddr;
  readonly #acceptor: Acceptor;
  readonly #options: ServerOptions;
  readonly #context: ConnectionContext;
  readonly #connections = new Set<ServerConnection>();
  readonly #turnedAway = new Set<ServerConnection>();
  readonly #accepting: Promise<void>;
  #wake: (() => void) | undefined;
  #isFull = false;
  #stopped = false;
  #whenEmpty: (() => void) | undefined;

  /** Takes connections from now on. */
  constructor(acceptor: Acceptor, options: ServerOptions) {
    const { clock, handler, limits, events, isDraining = () => false } = options;
    this.address = acceptor.addr;
    this.#acceptor = acceptor;
    this.#options = options;
    this.#context = {
      handler,
      limits,
      events,
      isDraining,
      date: new HttpDate(clock),
      heads: new Deadlines(clock, limits.requestHeadTimeoutMs),
      bodies: new Deadlines(clock, limits.requestBodyTimeoutMs),
      idle: new Deadlines(clock, limits.connectionIdleTimeoutMs),
      writes: new Deadlines(clock, limits.clientWriteTimeoutMs),
      lingering: new Deadlines(clock, LINGER_MS),
      gone: (connection) => this.#forget(connection),
    };
    this.#accepting = this.#accept();
  }

  /** See `HttpServer`; without those that are turned away. */
  get connections(): number {
    return this.#connections.size;
  }

  /** See `HttpServer`. */
  async shutdown(): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#acceptor.close();
      this.#wake?.();
      for (const connection of this.#all()) connection.stop();
    }
    await this.#accepting;
    while (this.#connections.size + this.#turnedAway.size > 0) {
      await new Promise<void>((resolve) => this.#whenEmpty = resolve);
    }
    const { heads, bodies, idle, writes, lingering } = this.#context;
    for (const deadlines of [heads, bodies, idle, writes, lingering]) deadlines.close();
  }

  /** See `HttpServer`. */
  cut(): void {
    for (const connection of this.#all()) connection.close();
  }

  #all(): ServerConnection[] {
    return [...this.#connections, ...this.#turnedAway];
  }

  async #accept(): Promise<void> {
    while (!this.#stopped) {
      try {
        this.#take(await this.#acceptor.accept());
      } catch (error) {
        if (this.#stopped) return;
        // Too many open files, most likely: those that wait are taken when others have gone.
        this.#options.events.acceptFailed(error);
        await this.#pause();
      }
    }
  }

  /** Waits a little, and no longer than until the end. */
  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(ACCEPT_PAUSE_MS, resolve);
    this.#wake = resolve;
    await promise;
    timer.cancel();
  }

  #take(conn: Deno.TcpConn): void {
    if (this.#stopped) return conn.close();
    if (this.#connections.size >= this.#options.limits.maxConnections) return this.#turnAway(conn);
    this.#isFull = false;
    // Answers go out in few writes, and none of them is to wait for an acknowledgement.
    conn.setNoDelay(true);
    const connection = new ServerConnection(conn, this.#context);
    this.#connections.add(connection);
    connection.start();
  }

  /** R84: a client over the limit is told when to come again, as long as few have to be told. */
  #turnAway(conn: Deno.TcpConn): void {
    if (!this.#isFull) this.#options.events.full();
    this.#isFull = true;
    if (this.#turnedAway.size >= MAX_TURNED_AWAY) return conn.close();
    const connection = new ServerConnection(conn, this.#context);
    this.#turnedAway.add(connection);
    connection.turnAway(
      new ProxyError("connections_exhausted", "There are too many connections; try again later.", {
        headers: { "retry-after": "1" },
      }),
    );
  }

  #forget(connection: ServerConnection): void {
    this.#connections.delete(connection);
    this.#turnedAway.delete(connection);
    if (this.#connections.size + this.#turnedAway.size === 0) this.#whenEmpty?.();
  }
}
