/**
 * Heads and body framing of HTTP/1.1 (RFC 9112, sections 5 to 7), as a pure core.
 *
 * It takes what a well-behaved peer on loopback sends and nothing more: heads in ASCII, bodies by
 * `content-length` or chunked.
 */

/** Called with a view that is valid only during the call. */
export type ByteSink = (bytes: Uint8Array) => void;

/** Start line and those header fields that were asked for, names in lower case. */
export interface Head {
  readonly startLine: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** The peer sent what this reader does not accept. */
export class HttpFormatError extends Error {
  override readonly name = "HttpFormatError";
}

const LF = 10;
const CR = 13;
const MAX_CHUNK_SIZE_DIGITS = 8;
const MAX_TRAILER_BYTES = 8192;

/**
 * Reads a head, without its final empty line.
 *
 * @param wanted lower-case field names to keep; the others cost no allocation
 */
export function parseHead(text: string, wanted: ReadonlySet<string>): Head {
  const fields = new Map<string, string>();
  const startEnd = text.indexOf("\r\n");
  if (startEnd === -1) return { startLine: text, fields };
  let lineStart = startEnd + 2;
  while (lineStart < text.length) {
    const found = text.indexOf("\r\n", lineStart);
    const lineEnd = found === -1 ? text.length : found;
    const colon = text.indexOf(":", lineStart);
    if (colon === -1 || colon > lineEnd) throw new HttpFormatError("header line without a colon");
    const name = text.slice(lineStart, colon).toLowerCase();
    if (wanted.has(name)) fields.set(name, text.slice(colon + 1, lineEnd).trim());
    lineStart = lineEnd + 2;
  }
  return { startLine: text.slice(0, startEnd), fields };
}

/** How a body ends: after so many bytes, or with a last chunk. */
export type Framing = number | "chunked";

/** The framing its head declares; undefined where it declares none. */
export function framingOf(fields: ReadonlyMap<string, string>): Framing | undefined {
  const coding = fields.get("transfer-encoding");
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked") {
      throw new HttpFormatError(`transfer-encoding ${coding} is not read here`);
    }
    return "chunked";
  }
  const length = fields.get("content-length");
  if (length === undefined) return undefined;
  if (!/^\d{1,12}$/.test(length)) throw new HttpFormatError(`content-length ${length}`);
  return Number(length);
}

type DecoderState = "size" | "extension" | "data" | "data-end" | "trailer" | "done";

/** Takes the framing off one body, in whatever pieces it arrives. */
export class BodyDecoder {
  #state: DecoderState;
  #remainingBytes: number;
  #sizeDigits = 0;
  #trailerBytes = 0;
  #trailerLineBytes = 0;
  readonly #chunked: boolean;

  constructor(framing: Framing) {
    this.#chunked = framing === "chunked";
    this.#remainingBytes = framing === "chunked" ? 0 : framing;
    this.#state = framing === "chunked" ? "size" : framing === 0 ? "done" : "data";
  }

  /** True once the body has ended. */
  get done(): boolean {
    return this.#state === "done";
  }

  /** Decodes as much as belongs to this body, and returns how many bytes that was. */
  push(bytes: Uint8Array, sink: ByteSink): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state !== "data") {
        this.#framingByte(bytes[at++] ?? 0);
        continue;
      }
      const end = Math.min(bytes.length, at + this.#remainingBytes);
      sink(bytes.subarray(at, end));
      this.#remainingBytes -= end - at;
      at = end;
      if (this.#remainingBytes === 0) this.#state = this.#chunked ? "data-end" : "done";
    }
    return at;
  }

  #framingByte(byte: number): void {
    switch (this.#state) {
      case "size":
        return this.#sizeByte(byte);
      case "extension":
        if (byte === LF) this.#sizeEnds();
        return;
      case "data-end":
        if (byte === LF) this.#state = "size";
        else if (byte !== CR) throw new HttpFormatError("chunk longer than its size");
        return;
      default:
        return this.#trailerByte(byte);
    }
  }

  #sizeByte(byte: number): void {
    if (byte === LF) return this.#sizeEnds();
    if (byte === CR) return;
    const digit = hexDigit(byte);
    if (digit === -1) {
      this.#state = "extension";
      return;
    }
    if (++this.#sizeDigits > MAX_CHUNK_SIZE_DIGITS) throw new HttpFormatError("chunk size");
    this.#remainingBytes = this.#remainingBytes * 16 + digit;
  }

  #sizeEnds(): void {
    if (this.#sizeDigits === 0) throw new HttpFormatError("chunk without a size");
    this.#sizeDigits = 0;
    this.#state = this.#remainingBytes === 0 ? "trailer" : "data";
  }

  #trailerByte(byte: number): void {
    if (++this.#trailerBytes > MAX_TRAILER_BYTES) throw new HttpFormatError("trailer too long");
    if (byte === CR) return;
    if (byte !== LF) {
      this.#trailerLineBytes++;
      return;
    }
    if (this.#trailerLineBytes === 0) this.#state = "done";
    this.#trailerLineBytes = 0;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
