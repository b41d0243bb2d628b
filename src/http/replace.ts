/**
 * Putting one text in place of another in bytes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Bytes } from "./exchange.ts";

/** One text in place of another, both ASCII; made once, since to look for it takes its bytes. */
export class Replacement {
  readonly #from: string;
  readonly #to: string;
  readonly #bytes: Buffer;

  /** `to` in place of `from`. */
  constructor(from: string, to: string) {
    this.#from = from;
    this.#to = to;
    this.#bytes = Buffer.from(from, "latin1");
  }

  /** The same bytes, with the one text wherever the other stood; the very same where it stood nowhere. */
  apply<B extends Uint8Array>(bytes: B): B | Bytes {
    if (bytes.length < this.#bytes.length) return bytes;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (text.indexOf(this.#bytes) === -1) return bytes;
    // A character a byte: what is no ASCII comes out as it went in.
    const replaced = text.toString("latin1").replaceAll(this.#from, () => this.#to);
    return new Uint8Array(Buffer.from(replaced, "latin1"));
  }
}
