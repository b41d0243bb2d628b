/**
 * An HTTP client on a bare socket, for what a well-behaved client would never send.
 *
 * @module
 */

/** An answer, read to its end. */
export interface RawResponse {
  readonly status: number;
  /** Field names in lower case; the last one where a field is repeated. */
  readonly headers: ReadonlyMap<string, string>;
  readonly bytes: Uint8Array;
  /** The body as text. */
  readonly text: string;
  /** Whether the body ended the way its framing says. */
  readonly complete: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One connection. */
export class RawClient implements Disposable {
  readonly #connection: Deno.TcpConn;
  #buffer = new Uint8Array();
  #ended = false;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects to `http://host:port`. */
  static async connect(origin: string): Promise<RawClient> {
    const { hostname, port } = new URL(origin);
    return new RawClient(await Deno.connect({ hostname, port: Number(port) }));
  }

  /** Writes bytes or text. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    let at = 0;
    while (at < bytes.length) at += await this.#connection.write(bytes.subarray(at));
  }

  /** The head of the next answer: status and fields. */
  async readHead(): Promise<{ status: number; headers: Map<string, string> }> {
    let end = -1;
    while ((end = indexOf(this.#buffer, "\r\n\r\n")) === -1) {
      if (!await this.#fill()) throw new Error(`no answer, only ${decoder.decode(this.#buffer)}`);
    }
    const [statusLine, ...lines] = decoder.decode(this.#take(end + 4)).trimEnd().split("\r\n");
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    return { status: Number(statusLine!.split(" ")[1]), headers };
  }

  /** The next answer, whole. */
  async readResponse(): Promise<RawResponse> {
    const { status, headers } = await this.readHead();
    const { bytes, complete } = await this.readBody(status, headers);
    return { status, headers, bytes, text: decoder.decode(bytes), complete };
  }

  /** The next chunk of a chunked body as text; null at its end, "cut" where it broke off. */
  async readChunk(): Promise<string | null> {
    const bytes = await this.#readChunkBytes();
    if (bytes === undefined) return "cut";
    return bytes.length === 0 ? null : decoder.decode(bytes);
  }

  /** Whether the other side has closed the connection, with nothing more to read. */
  async ended(): Promise<boolean> {
    return this.#buffer.length === 0 && !await this.#fill();
  }

  /** Says that nothing more will be written. */
  async closeWrite(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** Closes the connection. */
  close(): void {
    try {
      this.#connection.close();
    } catch {
      // Closed already.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The body behind a head. */
  async readBody(
    status: number,
    headers: ReadonlyMap<string, string>,
  ): Promise<{ bytes: Uint8Array; complete: boolean }> {
    if (status === 204 || status === 304) return { bytes: new Uint8Array(), complete: true };
    if (headers.get("transfer-encoding") === "chunked") return await this.#readChunked();
    const length = headers.get("content-length");
    const wanted = length === undefined ? Infinity : Number(length);
    while (this.#buffer.length < wanted && await this.#fill());
    const complete = length === undefined || this.#buffer.length >= wanted;
    return { bytes: this.#take(Math.min(wanted, this.#buffer.length)), complete };
  }

  async #readChunked(): Promise<{ bytes: Uint8Array; complete: boolean }> {
    const pieces: Uint8Array[] = [];
    for (;;) {
      const chunk = await this.#readChunkBytes();
      if (chunk !== undefined && chunk.length > 0) {
        pieces.push(chunk);
        continue;
      }
      const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
      pieces.reduce((at, piece) => (bytes.set(piece, at), at + piece.length), 0);
      return { bytes, complete: chunk !== undefined };
    }
  }

  async #readChunkBytes(): Promise<Uint8Array | undefined> {
    let line = -1;
    while ((line = indexOf(this.#buffer, "\r\n")) === -1) if (!await this.#fill()) return undefined;
    const size = parseInt(decoder.decode(this.#buffer.subarray(0, line)), 16);
    const whole = line + 2 + size + 2;
    while (this.#buffer.length < whole) if (!await this.#fill()) return undefined;
    return this.#take(whole).subarray(line + 2, line + 2 + size);
  }

  #take(length: number): Uint8Array {
    const taken = this.#buffer.slice(0, length);
    this.#buffer = this.#buffer.slice(length);
    return taken;
  }

  async #fill(): Promise<boolean> {
    if (this.#ended) return false;
    const piece = new Uint8Array(65_536);
    const read = await this.#connection.read(piece).catch(() => null);
    if (read === null) {
      this.#ended = true;
      return false;
    }
    const joined = new Uint8Array(this.#buffer.length + read);
    joined.set(this.#buffer);
    joined.set(piece.subarray(0, read), this.#buffer.length);
    this.#buffer = joined;
    return true;
  }
}

function indexOf(bytes: Uint8Array, text: string): number {
  const wanted = encoder.encode(text);
  let at = bytes.indexOf(wanted[0]!);
  while (at !== -1) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
    at = bytes.indexOf(wanted[0]!, at + 1);
  }
  return -1;
}

/** Sends `data` on a new connection and reads one answer. */
export async function exchange(origin: string, data: string | Uint8Array): Promise<RawResponse> {
  using client = await RawClient.connect(origin);
  await client.write(data);
  return await client.readResponse();
}

/** The bytes of a POST to `/mcp` with the usual fields, some replaced or (null) left out. */
export function jsonPost(
  body: string | Uint8Array,
  fields: Readonly<Record<string, string | null>> = {},
  path = "/mcp",
): Uint8Array {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const all: Record<string, string | null> = {
    host: "localhost",
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "content-length": String(bytes.length),
    ...fields,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  const head = encoder.encode(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const whole = new Uint8Array(head.length + bytes.length);
  whole.set(head);
  whole.set(bytes, head.length);
  return whole;
}

/** Sends one POST to `/mcp` of `origin` and reads the answer. */
export function postText(
  origin: string,
  body: string | Uint8Array,
  fields: Readonly<Record<string, string | null>> = {},
): Promise<RawResponse> {
  return exchange(origin, jsonPost(body, fields));
}
