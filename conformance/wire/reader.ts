/**
 * Reads HTTP/1.1 messages from a source of bytes, keeping the pieces in which a body came.
 *
 * @module
 */

import { type Framing, type Head, parseHead, WireError } from "./head.ts";

/** Gives the next bytes, or null at the end; a broken connection is an end too. */
export type Pull = () => Promise<Uint8Array | null>;

const MAX_HEAD_BYTES = 256 * 1024;
const MAX_LINE_BYTES = 16 * 1024;
const CR = 13;
const LF = 10;

/** How many characters are made at once. */
const STEP = 8_192;

/** Bytes as text, one character for each: no decoder does it, "latin1" being windows-1252. */
export function binary(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += STEP) {
    text += String.fromCharCode(...bytes.subarray(at, at + STEP));
  }
  return text;
}

/** Reads messages one after the other. */
export class MessageReader {
  readonly #pull: Pull;
  #buffer: Uint8Array = new Uint8Array();

  constructor(pull: Pull) {
    this.#pull = pull;
  }

  /** Bytes that arrived and were not read yet. */
  get pending(): Uint8Array {
    return this.#buffer;
  }

  /** The next head, or null where the connection ended before its first byte. */
  async head(): Promise<Head | null> {
    let from = 0;
    for (;;) {
      const end = headEnd(this.#buffer, from);
      if (end !== -1) return parseHead(binary(this.#take(end + 4).subarray(0, end)));
      if (this.#buffer.length > MAX_HEAD_BYTES) throw new WireError("a head without an end");
      from = Math.max(0, this.#buffer.length - 3);
      if (await this.#fill()) continue;
      if (this.#buffer.length === 0) return null;
      throw new WireError(
        `the connection ended inside a head: ${JSON.stringify(binary(this.#buffer))}`,
      );
    }
  }

  /** Reads one body. */
  body(framing: Framing): Body {
    return new Body(this, framing);
  }

  /** At most `limit` bytes of what comes next; null at the end of the connection. */
  async some(limit: number): Promise<Uint8Array | null> {
    if (this.#buffer.length === 0 && !await this.#fill()) return null;
    return this.#take(Math.min(limit, this.#buffer.length));
  }

  /** The next line without its CRLF; null where the connection ended before its end. */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#buffer.indexOf(LF);
      if (end > 0 && this.#buffer[end - 1] === CR) {
        return binary(this.#take(end + 1).subarray(0, end - 1));
      }
      if (end !== -1) throw new WireError("a chunk line that ends with a bare LF");
      if (this.#buffer.length > MAX_LINE_BYTES) throw new WireError("a chunk line without an end");
      if (!await this.#fill()) return null;
    }
  }

  #take(length: number): Uint8Array {
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async #fill(): Promise<boolean> {
    const piece = await this.#pull();
    if (piece === null) return false;
    this.#buffer = this.#buffer.length === 0 ? piece : joined([this.#buffer, piece]);
    return true;
  }
}

/** The body of one message. */
export class Body {
  readonly #reader: MessageReader;
  readonly #framing: Framing;
  #left: number;
  #state: "reading" | "complete" | "cut" = "reading";

  constructor(reader: MessageReader, framing: Framing) {
    this.#reader = reader;
    this.#framing = framing;
    this.#left = typeof framing === "number" ? framing : 0;
    if (framing === 0) this.#state = "complete";
  }

  /** Whether it was read to the end that its framing declares; false also while it is being read. */
  get complete(): boolean {
    return this.#state === "complete";
  }

  /** Whether there is nothing more to read. */
  get ended(): boolean {
    return this.#state !== "reading";
  }

  /** The next piece (a chunk, or a part of one); null at the end, whether complete or cut. */
  async next(): Promise<Uint8Array | null> {
    if (this.#state !== "reading") return null;
    const piece = this.#framing === "chunked" ? await this.#chunked() : await this.#plain();
    if (piece === null && this.#state === "reading") this.#state = "cut";
    return piece;
  }

  /** Everything that is left of it. */
  async bytes(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (let piece = await this.next(); piece !== null; piece = await this.next()) {
      pieces.push(piece);
    }
    return joined(pieces);
  }

  /** Everything that is left of it, as UTF-8. */
  async text(): Promise<string> {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await this.bytes());
  }

  async #plain(): Promise<Uint8Array | null> {
    const endless = this.#framing === "close";
    const piece = await this.#reader.some(endless ? Infinity : this.#left);
    if (piece === null) {
      if (endless) this.#state = "complete";
      return null;
    }
    if (!endless && (this.#left -= piece.length) === 0) this.#state = "complete";
    return piece;
  }

  async #chunked(): Promise<Uint8Array | null> {
    if (this.#left === 0) {
      const line = await this.#reader.line();
      if (line === null) return null;
      const size = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw new WireError(`not a chunk size: ${JSON.stringify(line)}`);
      this.#left = parseInt(size, 16);
      if (this.#left === 0) return await this.#trailers();
    }
    const piece = await this.#reader.some(this.#left);
    if (piece === null) return null;
    this.#left -= piece.length;
    if (this.#left === 0) {
      const line = await this.#reader.line();
      if (line !== "" && line !== null) throw new WireError("a chunk longer than its size");
    }
    return piece;
  }

  async #trailers(): Promise<null> {
    for (;;) {
      const line = await this.#reader.line();
      if (line === null) return null;
      if (line === "") {
        this.#state = "complete";
        return null;
      }
    }
  }
}

/** Pieces as one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0);
  return whole;
}

function headEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(CR, from); at !== -1; at = bytes.indexOf(CR, at + 1)) {
    if (bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF) return at;
  }
  return -1;
}
