/**
 * A lean HTTP/1.1 message reader over a connection, shared by the bench client and the mock upstream.
 *
 * Everything is bounded: a head by the buffer, a body by whoever takes it.
 */

import {
  BodyDecoder,
  type ByteSink,
  type Framing,
  type Head,
  HttpFormatError,
  parseHead,
} from "./http_message.ts";

/** Where bytes come from: a `Deno.Conn`, or a test. */
export interface ByteSource {
  read(into: Uint8Array): Promise<number | null>;
}

const CR = 13;
const LF = 10;

const decoder = new TextDecoder();

/** Reads messages one after the other from a connection through one fixed buffer. */
export class HttpReader {
  readonly #source: ByteSource;
  readonly #buffer: Uint8Array;
  #start = 0;
  #end = 0;

  constructor(source: ByteSource, bufferBytes: number) {
    this.#source = source;
    this.#buffer = new Uint8Array(bufferBytes);
  }

  /** The next head, or null where the peer closed between two messages. */
  async readHead(wanted: ReadonlySet<string>): Promise<Head | null> {
    let searchedTo = this.#start;
    for (;;) {
      const end = this.#headEnd(searchedTo);
      if (end !== -1) {
        const text = decoder.decode(this.#buffer.subarray(this.#start, end));
        this.#start = end + 4;
        return parseHead(text, wanted);
      }
      const heldBytes = this.#end - this.#start;
      if (!await this.#fill()) {
        if (heldBytes === 0) return null;
        throw new HttpFormatError("connection closed inside a head");
      }
      searchedTo = Math.max(this.#start, this.#start + heldBytes - 3);
    }
  }

  /** Reads one body to its end. */
  async readBody(framing: Framing, sink: ByteSink): Promise<void> {
    const body = new BodyDecoder(framing);
    for (;;) {
      this.#start += body.push(this.#buffer.subarray(this.#start, this.#end), sink);
      if (body.done) return;
      if (!await this.#fill()) throw new HttpFormatError("connection closed inside a body");
    }
  }

  #headEnd(from: number): number {
    // A view of what has arrived: searching the whole buffer would walk 64 KiB of old bytes.
    const arrived = this.#buffer.subarray(0, this.#end);
    let at = arrived.indexOf(CR, from);
    while (at !== -1) {
      if (arrived[at + 1] === LF && arrived[at + 2] === CR && arrived[at + 3] === LF) return at;
      at = arrived.indexOf(CR, at + 1);
    }
    return -1;
  }

  async #fill(): Promise<boolean> {
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
    } else if (this.#end === this.#buffer.length) {
      if (this.#start === 0) throw new HttpFormatError("head larger than the buffer");
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const count = await this.#source.read(this.#buffer.subarray(this.#end));
    if (count === null) return false;
    this.#end += count;
    return true;
  }
}

/** Where bytes go: a `Deno.Conn`, or a test. */
export interface ByteTarget {
  write(bytes: Uint8Array): Promise<number>;
}

/** Writes all of it: one `write` may take less than it was given. */
export async function writeAll(target: ByteTarget, bytes: Uint8Array): Promise<void> {
  let written = await target.write(bytes);
  while (written < bytes.length) written += await target.write(bytes.subarray(written));
}

/** Gathers a body of at most its capacity. */
export class BodyCollector {
  readonly #bytes: Uint8Array;
  #length = 0;

  constructor(capacityBytes: number) {
    this.#bytes = new Uint8Array(capacityBytes);
  }

  /** Bytes gathered since the last reset. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what was gathered. */
  reset(): void {
    this.#length = 0;
  }

  /** A sink that appends. */
  readonly sink: ByteSink = (bytes) => {
    if (this.#length + bytes.length > this.#bytes.length) {
      throw new HttpFormatError(`body over ${this.#bytes.length} bytes`);
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  };

  /** What was gathered, as text. */
  text(): string {
    return decoder.decode(this.#bytes.subarray(0, this.#length));
  }
}
