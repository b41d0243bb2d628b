/**
 * What a script of the mock can do with a request: answer it, well or badly.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { Fields } from "../wire/mod.ts";

const encoder = new TextEncoder();

/** The reasons of the statuses that scripts use. */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  202: "Accepted",
  204: "No Content",
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** One event to send; fields left out are not written. */
export interface EventToSend {
  readonly event?: string;
  readonly id?: string;
  readonly retry?: number;
  /** A value is written as JSON, a text as it is, line by line. */
  readonly data?: unknown;
}

/** The answer to one request. */
export class Reply {
  readonly #onField: (name: string, value: string) => void;
  readonly #socket: Socket;
  readonly #method: string;
  readonly #done = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  readonly #onClose = () => this.#gone.resolve();
  #chunked = false;
  #begun = false;
  #finished = false;
  #keepAlive = true;

  constructor(
    socket: Socket,
    method: string,
    onField: (name: string, value: string) => void = () => {},
  ) {
    this.#socket = socket;
    this.#onField = onField;
    this.#method = method;
    socket.on("close", this.#onClose);
    if (socket.destroyed) this.#gone.resolve();
  }

  /** Resolves once the answer is complete. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Resolves once the connection is closed, by whichever side. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Whether the connection is closed. */
  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  /** Whether the connection can take another request. */
  get reusable(): boolean {
    return this.#finished && this.#keepAlive && !this.#socket.destroyed;
  }

  /** Writes bytes as they are; the answer is then the script's own business until `finish()`. */
  async raw(data: string | Uint8Array): Promise<void> {
    this.#begun = true;
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (this.#socket.destroyed) return;
    await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** Says that a raw answer is complete and the connection can be used again. */
  finish(): void {
    this.#finished = true;
    this.#socket.off("close", this.#onClose);
    this.#done.resolve();
  }

  /** Writes a head; without `content-length` the body is chunked, ended with `end()`. */
  async head(status: number, fields: Fields = []): Promise<void> {
    if (this.#begun) throw new Error("the head was written before");
    const names = new Set(fields.map(([name]) => name.toLowerCase()));
    const empty = status === 204 || status === 304;
    this.#chunked = !names.has("content-length") && !names.has("transfer-encoding") && !empty;
    this.#keepAlive = !fields.some(([name, value]) =>
      name.toLowerCase() === "connection" && value.toLowerCase() === "close"
    );
    for (const [name, value] of fields) this.#onField(name, value);
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
    if (this.#chunked) lines.push("transfer-encoding: chunked\r\n");
    await this.raw(`HTTP/1.1 ${status} ${REASONS[status] ?? "Status"}\r\n${lines.join("")}\r\n`);
  }

  /** Writes a piece of the body, as one chunk where the body is chunked. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (!this.#chunked) return await this.raw(bytes);
    if (bytes.length === 0) return;
    const size = encoder.encode(`${bytes.length.toString(16)}\r\n`);
    const chunk = new Uint8Array(size.length + bytes.length + 2);
    chunk.set(size);
    chunk.set(bytes, size.length);
    chunk.set([13, 10], size.length + bytes.length);
    await this.raw(chunk);
  }

  /** Ends the answer. */
  async end(): Promise<void> {
    if (this.#chunked) await this.raw("0\r\n\r\n");
    this.finish();
    if (!this.#keepAlive) this.#socket.end();
  }

  /** A whole answer with a body of this type. */
  async whole(
    status: number,
    fields: Fields,
    body: string | Uint8Array,
  ): Promise<void> {
    const bytes = typeof body === "string" ? encoder.encode(body) : body;
    const length = status === 204 ? [] : [["content-length", String(bytes.length)] as const];
    await this.head(status, [...fields, ...length]);
    if (this.#method !== "HEAD" && bytes.length > 0) await this.raw(bytes);
    await this.end();
  }

  /** A whole JSON answer; a text is taken as JSON already. */
  async json(value: unknown, status = 200, fields: Fields = []): Promise<void> {
    const body = typeof value === "string" ? value : JSON.stringify(value);
    await this.whole(status, [["content-type", "application/json"], ...fields], body);
  }

  /** An answer without a body. */
  async empty(status: number, fields: Fields = []): Promise<void> {
    await this.whole(status, fields, "");
  }

  /** Begins an event stream. */
  async stream(fields: Fields = [], status = 200): Promise<void> {
    await this.head(status, [
      ["content-type", "text/event-stream"],
      ["cache-control", "no-cache"],
      ...fields,
    ]);
  }

  /** Sends one event of a stream. */
  async event(event: EventToSend): Promise<void> {
    await this.write(eventText(event));
  }

  /** Closes the connection without ending the answer. */
  close(): void {
    this.#keepAlive = false;
    this.#socket.destroy();
  }

  /** Resets the connection (RST). */
  reset(): void {
    this.#keepAlive = false;
    if (!this.#socket.destroyed) this.#socket.resetAndDestroy();
  }
}

/** The text of an event. */
export function eventText({ event, id, retry, data }: EventToSend): string {
  const lines: string[] = [];
  if (event !== undefined) lines.push(`event: ${event}`);
  if (id !== undefined) lines.push(`id: ${id}`);
  if (retry !== undefined) lines.push(`retry: ${retry}`);
  if (data !== undefined) {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    lines.push(...text.split("\n").map((line) => `data: ${line}`));
  }
  return `${lines.join("\n")}\n\n`;
}
