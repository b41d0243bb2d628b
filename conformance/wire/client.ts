/**
 * An HTTP/1.1 client on a bare socket: it sees and says what a well-behaved one hides.
 *
 * @module
 */

import {
  ConnectionClosed,
  type Fields,
  framingOf,
  type Head,
  valueOf,
  valuesOf,
  WireError,
} from "./head.ts";
import { type Body, MessageReader } from "./reader.ts";

const encoder = new TextEncoder();

/** An answer whose body is read as it comes. */
export interface WireResponse {
  readonly status: number;
  readonly fields: Fields;
  readonly body: Body;
  /** The value of a field; undefined where it did not come. */
  field(name: string): string | undefined;
  /** The values of a field, as often as it came. */
  values(name: string): string[];
}

/** One connection to a proxy. */
export class WireClient implements Disposable {
  readonly #connection: Deno.TcpConn | Deno.TlsConn;
  readonly #reader: MessageReader;
  #closed = false;

  private constructor(connection: Deno.TcpConn | Deno.TlsConn) {
    this.#connection = connection;
    this.#reader = new MessageReader(() => this.#read());
  }

  /** Connects to the origin of a URL. */
  static async connect(url: URL): Promise<WireClient> {
    const secure = url.protocol === "https:";
    const address = {
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port || (secure ? 443 : 80)),
    };
    const connection = secure ? await Deno.connectTls(address) : await Deno.connect(address);
    if ("setNoDelay" in connection) connection.setNoDelay(true);
    return new WireClient(connection);
  }

  /** Writes bytes, or text as UTF-8. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** The next answer; interim ones (1xx) are passed over. `method` is the request's. */
  async response(method = "POST"): Promise<WireResponse> {
    for (;;) {
      const head = await this.#reader.head();
      if (head === null) throw new ConnectionClosed("the connection was closed without an answer");
      const status = statusOf(head);
      if (status >= 200) return this.#response(status, head.fields, method);
    }
  }

  /** Resolves with what came until the other side closed the connection. */
  async untilClosed(): Promise<Uint8Array> {
    return await this.#reader.body("close").bytes();
  }

  /** Says that nothing more will be written. */
  async closeWrite(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** Closes the connection; a pending read ends. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #response(status: number, fields: Fields, method: string): WireResponse {
    const bodyless = method === "HEAD" || status === 204 || status === 304;
    return {
      status,
      fields,
      body: this.#reader.body(bodyless ? 0 : framingOf(fields, "close")),
      field: (name) => valueOf(fields, name),
      values: (name) => valuesOf(fields, name),
    };
  }

  async #read(): Promise<Uint8Array | null> {
    const piece = new Uint8Array(65_536);
    try {
      const count = await this.#connection.read(piece);
      return count === null ? null : piece.subarray(0, count);
    } catch {
      // Reset, or closed by this side: for what has come it is an end.
      return null;
    }
  }
}

function statusOf({ startLine }: Head): number {
  const status = /^HTTP\/1\.[01] (\d{3})(?: .*)?$/.exec(startLine)?.[1];
  if (status === undefined) throw new WireError(`not a status line: ${JSON.stringify(startLine)}`);
  return Number(status);
}

/** A request as bytes: what is given, and `Host` and `Content-Length` where they are missing. */
export function requestBytes(request: {
  readonly url: URL;
  readonly method?: string;
  readonly fields?: Fields;
  readonly body?: string | Uint8Array;
}): Uint8Array {
  const { url, method = "POST", fields = [], body } = request;
  const bytes = typeof body === "string" ? encoder.encode(body) : body ?? new Uint8Array();
  const names = new Set(fields.map(([name]) => name.toLowerCase()));
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  if (!names.has("host")) lines.unshift(`host: ${url.host}\r\n`);
  const framed = names.has("content-length") || names.has("transfer-encoding");
  if (!framed && (body !== undefined || method === "POST")) {
    lines.push(`content-length: ${bytes.length}\r\n`);
  }
  const target = url.pathname + url.search;
  const head = encoder.encode(`${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const whole = new Uint8Array(head.length + bytes.length);
  whole.set(head);
  whole.set(bytes, head.length);
  return whole;
}
