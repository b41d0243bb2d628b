/**
 * Reading a body in chunked transfer coding. Pure: bytes in, bytes out.
 *
 * Source: RFC 9112 section 7.1. Extensions and trailers are read over, within limits.
 *
 * @module
 */

import { HttpSyntaxError } from "./syntax.ts";

/** Longest line with the size of a chunk, its extensions included, in bytes. */
export const MAX_SIZE_LINE_BYTES = 4_096;
/** Most extension bytes of a body beyond what its data would excuse: 16 and two for each byte. */
export const MAX_EXTENSION_EXCESS_BYTES = 16_384;
/** Longest trailer section, in bytes. */
export const MAX_TRAILER_BYTES = 16_384;

const LF = 0x0a;
const CR = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const SEMICOLON = 0x3b;
/** 13 hexadecimal digits are below 2^52. */
const MAX_SIZE_DIGITS = 13;

type State =
  | "size"
  | "sizeSpace"
  | "extension"
  | "sizeLf"
  | "data"
  | "dataCr"
  | "dataLf"
  | "trailerStart"
  | "trailer"
  | "trailerLf"
  | "endLf"
  | "done";

/** What came out of a piece. */
export interface Decoded {
  /** How many bytes of data now stand at the start of the piece. */
  readonly length: number;
  /** How many bytes of the piece belong to this body; fewer than all only at its end. */
  readonly consumed: number;
}

/** Decodes one body from pieces of any size, in time linear in its length. */
export class ChunkedDecoder {
  #state: State = "size";
  #sizeDigits = 0;
  #remaining = 0;
  #lineBytes = 0;
  #out = 0;
  #excessBytes = 0;

  /** Bytes of data in the last piece ahead of the place where it was found to be broken. */
  get salvaged(): number {
    return this.#out;
  }

  /** Whether the end of the body was read. */
  get done(): boolean {
    return this.#state === "done";
  }

  /**
   * Decodes a piece in place: its data is moved together to its start, so that many small chunks
   * leave as one.
   *
   * @throws {HttpSyntaxError} where the coding is broken or passes a limit; `salvaged` then says how much
   * data stands at the start of the piece all the same.
   */
  decode(piece: Uint8Array): Decoded {
    this.#out = 0;
    let at = 0;
    while (at < piece.length && this.#state !== "done") {
      if (this.#state !== "data") {
        this.#step(piece[at++]!);
        continue;
      }
      const length = Math.min(this.#remaining, piece.length - at);
      if (this.#out !== at) piece.copyWithin(this.#out, at, at + length);
      this.#out += length;
      at += length;
      this.#remaining -= length;
      if (this.#remaining === 0) this.#state = "dataCr";
    }
    return { length: this.#out, consumed: at };
  }

  /** Takes one byte of framing. */
  #step(byte: number): void {
    switch (this.#state) {
      case "size":
        return this.#size(byte);
      case "sizeSpace":
        return this.#afterSize(byte);
      case "extension":
        return this.#extension(byte);
      case "sizeLf":
        return this.#expect(byte, LF, this.#remaining === 0 ? "trailerStart" : "data");
      case "dataCr":
        return this.#expect(byte, CR, "dataLf");
      case "dataLf":
        this.#sizeDigits = 0;
        this.#lineBytes = 0;
        return this.#expect(byte, LF, "size");
      case "trailerStart":
        if (byte === CR) return void (this.#state = "endLf");
        return this.#trailer(byte);
      case "trailer":
        return this.#trailer(byte);
      case "trailerLf":
        return this.#expect(byte, LF, "trailerStart");
      default:
        return this.#expect(byte, LF, "done");
    }
  }

  #size(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      if (++this.#sizeDigits > MAX_SIZE_DIGITS) throw new HttpSyntaxError("a chunk is too large");
      this.#remaining = this.#sizeDigits === 1 ? digit : this.#remaining * 16 + digit;
      return;
    }
    if (this.#sizeDigits === 0) throw new HttpSyntaxError("a chunk has no size");
    this.#afterSize(byte);
  }

  /** After the digits: padding, then an extension or the end of the line; `5 6` is no size. */
  #afterSize(byte: number): void {
    if (byte !== CR && byte !== SEMICOLON && byte !== SPACE && byte !== TAB) {
      throw new HttpSyntaxError("a chunk size is no hexadecimal number");
    }
    this.#state = byte === SEMICOLON ? "extension" : "sizeSpace";
    this.#extension(byte);
  }

  #extension(byte: number): void {
    if (byte === CR) return this.#endSizeLine();
    if (byte === LF || byte === 0) throw new HttpSyntaxError("a chunk size line is malformed");
    if (++this.#lineBytes > MAX_SIZE_LINE_BYTES) {
      throw new HttpSyntaxError(`a chunk size line is longer than ${MAX_SIZE_LINE_BYTES} bytes`);
    }
  }

  /** Many small chunks with long extensions would be much to read for little data. */
  #endSizeLine(): void {
    const excused = 16 + 2 * this.#remaining;
    this.#excessBytes = Math.max(0, this.#excessBytes + this.#lineBytes - excused);
    if (this.#excessBytes > MAX_EXTENSION_EXCESS_BYTES) {
      throw new HttpSyntaxError("the chunk extensions are out of proportion to the data");
    }
    this.#state = "sizeLf";
  }

  #trailer(byte: number): void {
    if (byte === CR) return void (this.#state = "trailerLf");
    if (byte === LF || byte === 0) throw new HttpSyntaxError("a trailer is malformed");
    this.#state = "trailer";
    // Counted over all trailers: the size line of the last chunk began the count anew.
    if (++this.#lineBytes > MAX_TRAILER_BYTES) {
      throw new HttpSyntaxError(`the trailers are longer than ${MAX_TRAILER_BYTES} bytes`);
    }
  }

  #expect(byte: number, wanted: number, next: State): void {
    if (byte !== wanted) throw new HttpSyntaxError("a line of the chunked coding is malformed");
    this.#state = next;
  }
}

/** The value of a hexadecimal digit, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
