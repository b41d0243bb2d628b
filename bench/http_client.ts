/**
 * A lean HTTP/1.1 keep-alive client: one connection, one exchange at a time, requests encoded
 * beforehand. What it costs is paid by every target alike, and it is small beside what is measured.
 */

import { type ByteSink, framingOf, HttpFormatError } from "./http_message.ts";
import { BodyCollector, HttpReader, writeAll } from "./http_reader.ts";
import type { Endpoint } from "./mcp_messages.ts";

const BUFFER_BYTES = 64 * 1024;
const MAX_BODY_BYTES = 64 * 1024;
const CONNECT_DEADLINE_MS = 5_000;
const WATCH_INTERVAL_MS = 500;

const WANTED = new Set([
  "connection",
  "content-length",
  "content-type",
  "mcp-session-id",
  "transfer-encoding",
]);

/** An exchange failed: the connection is of no more use. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
}

/** The head of an answer; its body is with the collector or has gone to the sink. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly sessionId: string | undefined;
}

/**
 * Ends exchanges that outlive their deadline, with one timer for all connections, since a timer for
 * each exchange would be part of what is measured.
 */
export class Watchdog {
  readonly #watched = new Set<HttpClient>();
  readonly #timer = setInterval(() => {
    const nowMs = performance.now();
    for (const client of this.#watched) client.expire(nowMs);
  }, WATCH_INTERVAL_MS);

  /** Watches a client until it is closed. */
  watch(client: HttpClient): void {
    this.#watched.add(client);
  }

  /** Stops watching a client. */
  forget(client: HttpClient): void {
    this.#watched.delete(client);
  }

  /** Closes every client still watched, and stops. */
  close(): void {
    clearInterval(this.#timer);
    for (const client of [...this.#watched]) client.close();
  }
}

/** One keep-alive connection. */
export class HttpClient {
  readonly #connection: Deno.TcpConn;
  readonly #watchdog: Watchdog;
  readonly #reader: HttpReader;
  readonly #deadlineMs: number;
  #expiresAtMs = Infinity;
  #expired = false;
  #closed = false;

  /** The body of the last answer that had no sink of its own. */
  readonly body = new BodyCollector(MAX_BODY_BYTES);

  private constructor(connection: Deno.TcpConn, watchdog: Watchdog, deadlineMs: number) {
    this.#connection = connection;
    this.#watchdog = watchdog;
    this.#deadlineMs = deadlineMs;
    this.#reader = new HttpReader(connection, BUFFER_BYTES);
    connection.setNoDelay(true);
    watchdog.watch(this);
  }

  /**
   * Connects.
   *
   * @param deadlineMs the longest an exchange may take, to within half a second
   */
  static async connect(
    endpoint: Endpoint,
    watchdog: Watchdog,
    deadlineMs: number,
  ): Promise<HttpClient> {
    const { hostname, port } = endpoint;
    const signal = AbortSignal.timeout(CONNECT_DEADLINE_MS);
    return new HttpClient(await Deno.connect({ hostname, port, signal }), watchdog, deadlineMs);
  }

  /**
   * Sends a request and reads its answer to the end.
   *
   * @param sink takes the body piece by piece; without it the body is in `body`
   * @throws ExchangeError on a broken connection, a malformed answer or the deadline
   */
  async exchange(request: Uint8Array, sink?: ByteSink): Promise<Answer> {
    this.#expiresAtMs = performance.now() + this.#deadlineMs;
    try {
      await writeAll(this.#connection, request);
      return await this.#answer(sink);
    } catch (error) {
      this.close();
      const reason = this.#expired ? `no whole answer within ${this.#deadlineMs} ms` : `${error}`;
      throw new ExchangeError(reason);
    } finally {
      this.#expiresAtMs = Infinity;
    }
  }

  async #answer(sink: ByteSink | undefined): Promise<Answer> {
    const head = await this.#reader.readHead(WANTED);
    if (head === null) throw new HttpFormatError("connection closed without an answer");
    const status = Number(head.startLine.slice(9, 12));
    const framing = status === 204 || status === 304 ? 0 : framingOf(head.fields);
    if (framing === undefined) throw new HttpFormatError(`a ${status} without body framing`);
    if (sink === undefined) this.body.reset();
    await this.#reader.readBody(framing, sink ?? this.body.sink);
    if (head.fields.get("connection")?.toLowerCase() === "close") {
      throw new HttpFormatError(`a ${status} with connection: close, where keep-alive is measured`);
    }
    return {
      status,
      contentType: head.fields.get("content-type") ?? "",
      sessionId: head.fields.get("mcp-session-id"),
    };
  }

  /** Closes the connection if its exchange is over its deadline. */
  expire(nowMs: number): void {
    if (nowMs < this.#expiresAtMs) return;
    this.#expired = true;
    this.close();
  }

  /** Closes the connection; more than once is the same as once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watchdog.forget(this);
    this.#connection.close();
  }
}
