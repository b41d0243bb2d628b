/**
 * The connections to one target: how many, who waits for one, and how long an unused one is kept.
 *
 * The newest unused connection serves first, so that the others can age and go. A connection that turns
 * out to carry an event stream leaves the count of those for calls: streams do not starve calls.
 *
 * @module
 */

import type { Timer } from "../../clock.ts";
import { NOTHING_SENT, ProxyError, stopping } from "../../errors.ts";
import type { HttpClientOptions } from "../http_client.ts";
import type { Call } from "./call.ts";
import { Connection, type ConnectionEvents } from "./connection.ts";
import { dial } from "./dial.ts";

interface Resting {
  readonly connection: Connection;
  readonly untilMs: number;
}

interface Waiting {
  readonly take: (connection: Connection | undefined) => void;
}

/** How much sooner than the server an unused connection is closed, in milliseconds. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

/** A pool for one target. */
export class Pool implements ConnectionEvents {
  readonly #options: HttpClientOptions;
  readonly #all = new Set<Connection>();
  readonly #streams = new Set<Connection>();
  #resting: Resting[] = [];
  #waiting = new Set<Waiting>();
  /** Those for whom a connection is being made; `close` turns them away too. */
  readonly #dialled = new Set<(error: ProxyError) => void>();
  #dialling = 0;
  #sweep: Timer | undefined;
  #closed = false;

  /** An empty pool. */
  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /** The newest unused connection, if there is one. */
  unused(): Connection | undefined {
    return this.#resting.pop()?.connection;
  }

  /**
   * A connection for a call: a new one, or, when there are as many as there may be, the next that comes
   * free.
   *
   * @throws {ProxyError} `upstream_saturated` when too many wait or the wait was too long, `stopping`, what
   * `dial` throws, or `client_closed`; nothing was sent in any case.
   */
  async acquire(call: Call): Promise<Connection> {
    if (this.#closed) throw stopping(NOTHING_SENT);
    if (this.#hasRoom() || this.#dropOldest()) {
      return await unlessLate(this.#dial(call), unreached);
    }
    return await unlessLate(this.#wait(call), saturated);
  }

  /** Closes all connections and turns away who waits: those calls fail with `stopping`. */
  close(): void {
    this.#closed = true;
    this.#sweep?.cancel();
    for (const connection of this.#all) connection.stop();
    for (const waiting of this.#waiting) waiting.take(undefined);
    for (const giveUp of this.#dialled) giveUp(stopping(NOTHING_SENT));
  }

  /** See `ConnectionEvents`. */
  streaming(connection: Connection): void {
    if (this.#streams.size >= this.#options.maxStreams) return;
    this.#streams.add(connection);
    this.#serveNext(undefined);
  }

  /** See `ConnectionEvents`. */
  free(connection: Connection, keepAliveSeconds: number | undefined): void {
    if (this.#streams.size > 0) this.#streams.delete(connection);
    if (this.#closed || this.#callConnections() > this.#options.maxConnections) {
      return connection.close();
    }
    if (this.#serveNext(connection)) return;
    const keptMs = this.#keepAliveMs(keepAliveSeconds);
    if (keptMs <= 0) return connection.close();
    const untilMs = this.#options.clock.monotonicMs() + keptMs;
    this.#resting.push({ connection, untilMs });
    connection.rest();
    this.#sweep ??= this.#options.clock.after(keptMs, () => this.#sweepUp());
  }

  /** See `ConnectionEvents`. */
  gone(connection: Connection): void {
    this.#all.delete(connection);
    this.#streams.delete(connection);
    const at = this.#resting.findIndex((resting) => resting.connection === connection);
    if (at !== -1) this.#resting.splice(at, 1);
    this.#serveNext(undefined);
  }

  #callConnections(): number {
    return this.#all.size - this.#streams.size + this.#dialling;
  }

  #hasRoom(): boolean {
    return this.#callConnections() < this.#options.maxConnections;
  }

  #dropOldest(): boolean {
    const oldest = this.#resting[0];
    oldest?.connection.close();
    return oldest !== undefined;
  }

  /** Gives the connection, or the room for a new one, to who waits longest; false if nobody does. */
  #serveNext(connection: Connection | undefined): boolean {
    if (this.#waiting.size === 0) return false;
    if (connection === undefined && !this.#hasRoom()) return false;
    const [next] = this.#waiting;
    if (next === undefined) return false;
    this.#waiting.delete(next);
    // The room is taken here and not when the waiting call goes on, or two would take it.
    if (connection === undefined) this.#dialling++;
    next.take(connection);
    return true;
  }

  async #dial(call: Call): Promise<Connection> {
    this.#dialling++;
    return await this.#open(call);
  }

  /** Connects in the room that `#dialling` holds. */
  async #open(call: Call): Promise<Connection> {
    const abort = new AbortController();
    const giveUp = (error: ProxyError) => abort.abort(error);
    const { target, connectTimeoutMs, clock } = this.#options;
    this.#dialled.add(giveUp);
    try {
      call.whenGivenUp(giveUp);
      const conn = await dial(target, connectTimeoutMs, clock, abort.signal);
      if (this.#closed) {
        conn.close();
        throw stopping(NOTHING_SENT);
      }
      const connection = new Connection(conn, target.host, clock, this);
      this.#all.add(connection);
      return connection;
    } finally {
      this.#dialled.delete(giveUp);
      this.#dialling--;
      if (this.#waiting.size > 0) this.#serveNext(undefined);
    }
  }

  /** Waits in line for a connection that comes free, or for room to make one. */
  async #wait(call: Call): Promise<Connection> {
    if (this.#waiting.size >= this.#options.maxQueued) throw saturated();
    const { promise, resolve, reject } = Promise.withResolvers<Connection | undefined>();
    const waiting: Waiting = { take: resolve };
    this.#waiting.add(waiting);
    const leave = (error: ProxyError) => {
      if (this.#waiting.delete(waiting)) reject(error);
    };
    const timer = this.#options.clock.after(this.#options.queueTimeoutMs, () => leave(saturated()));
    try {
      call.whenGivenUp(leave);
      const connection = await promise;
      if (this.#closed) throw stopping(NOTHING_SENT);
      return connection ?? await this.#open(call);
    } finally {
      timer.cancel();
      this.#waiting.delete(waiting);
    }
  }

  /** How long an unused connection is kept: below what the server says it keeps it. */
  #keepAliveMs(hintSeconds: number | undefined): number {
    const { keepAliveMs } = this.#options;
    if (hintSeconds === undefined) return keepAliveMs;
    return Math.min(keepAliveMs, hintSeconds * 1_000 - KEEP_ALIVE_MARGIN_MS);
  }

  #sweepUp(): void {
    this.#sweep = undefined;
    const nowMs = this.#options.clock.monotonicMs();
    for (const { connection, untilMs } of [...this.#resting]) {
      if (untilMs <= nowMs) connection.close();
    }
    if (this.#resting.length === 0) return;
    const nextMs = Math.min(...this.#resting.map(({ untilMs }) => untilMs));
    this.#sweep = this.#options.clock.after(Math.max(1, nextMs - nowMs), () => this.#sweepUp());
  }
}

function saturated(): ProxyError {
  const sentence = "All connections to the upstream server are in use; try again later.";
  return new ProxyError("upstream_saturated", sentence, {
    headers: { "retry-after": "1" },
    progress: NOTHING_SENT,
  });
}

function unreached(): ProxyError {
  const sentence = "The upstream server could not be reached in time.";
  return new ProxyError("upstream_connect_timeout", sentence, { progress: NOTHING_SENT });
}

/** The call's own deadline says here what it was short of: no server was silent that was not asked. */
async function unlessLate(
  acquiring: Promise<Connection>,
  inPlace: () => ProxyError,
): Promise<Connection> {
  try {
    return await acquiring;
  } catch (error) {
    throw error instanceof ProxyError && error.kind === "upstream_timeout" ? inPlace() : error;
  }
}
