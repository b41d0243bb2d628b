/**
 * Reading a body to the end that its framing gives. Pure.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import { ChunkedDecoder } from "./chunked.ts";

/** How a body is framed. */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

/** Reads one body from pieces of any size. */
export class BodyDecoder {
  readonly #chunked: ChunkedDecoder | undefined;
  #remaining: number;

  /** For a body with this framing. */
  constructor(framing: BodyFraming) {
    this.#chunked = framing.kind === "chunked" ? new ChunkedDecoder() : undefined;
    this.#remaining = framing.kind === "length"
      ? framing.bytes
      : framing.kind === "close"
      ? Infinity
      : 0;
  }

  /** Whether the body is whole. */
  get done(): boolean {
    return this.#chunked === undefined ? this.#remaining === 0 : this.#chunked.done;
  }

  /**
   * Takes a piece, calls `push` with the data in it, if there is any, and says how many of its bytes belong
   * to the body. A piece in chunked coding is decoded in place.
   *
   * @throws {HttpSyntaxError} where the coding is broken, after `push` got what came ahead of that.
   */
  feed(piece: Bytes, push: (data: Bytes) => void): number {
    if (this.#chunked !== undefined) return this.#feedChunked(this.#chunked, piece, push);
    const length = Math.min(this.#remaining, piece.length);
    if (length > 0) push(length === piece.length ? piece : piece.subarray(0, length));
    this.#remaining -= length;
    return length;
  }

  #feedChunked(decoder: ChunkedDecoder, piece: Bytes, push: (data: Bytes) => void): number {
    try {
      return decoder.decode(piece).consumed;
    } finally {
      // Also what came ahead of a mistake: the reader gets it before it hears of the mistake.
      if (decoder.salvaged > 0) push(piece.subarray(0, decoder.salvaged));
    }
  }
}
