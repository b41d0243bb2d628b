/**
 * Putting one text in place of another in bytes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { AnswerSource, Bytes } from "./exchange.ts";

/** So much is looked through by hand: a call of the runtime costs more (bench/NOTES.md). */
const BY_HAND_BYTES = 1_024;

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

  /** Whether the text that is looked for stands anywhere. */
  isIn(bytes: Uint8Array): boolean {
    if (bytes.length < this.#from.length) return false;
    if (bytes.length <= BY_HAND_BYTES) return standsIn(bytes, this.#from);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(this.#bytes) !== -1;
  }

  /** The same bytes, with the one text wherever the other stood; the very same where it stood nowhere. */
  apply<B extends Uint8Array>(bytes: B): B | Bytes {
    if (!this.isIn(bytes)) return bytes;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    // A character a byte: what is no ASCII comes out as it went in.
    const replaced = text.toString("latin1").replaceAll(this.#from, () => this.#to);
    return new Uint8Array(Buffer.from(replaced, "latin1"));
  }

  /** The same of a body that comes bit by bit: also where the text stands in two pieces. */
  stream(source: AnswerSource): ReplacedSource {
    return new ReplacedSource(source, this.#bytes, Buffer.from(this.#to, "latin1"));
  }
}

/** A body that comes bit by bit, with one text in place of another; holds back what may be its beginning. */
export class ReplacedSource implements AnswerSource {
  readonly #source: AnswerSource;
  readonly #from: Buffer;
  readonly #to: Buffer;
  #held: Uint8Array = new Uint8Array();
  #observe: ((bytes: Uint8Array) => void) | undefined;

  /** `to` in place of `from`, which is not empty, in `source`, which it owns from now on. */
  constructor(source: AnswerSource, from: Buffer, to: Buffer) {
    this.#source = source;
    this.#from = from;
    this.#to = to;
  }

  /** Calls `observe` with each piece before the reader gets it; one alone. */
  tap(observe: (bytes: Uint8Array) => void): void {
    this.#observe = observe;
  }

  /** See `AnswerSource`. */
  async next(): Promise<readonly Bytes[] | null> {
    for (;;) {
      const pieces = await this.#coming();
      const found = pieces === null ? this.#rest() : this.#replace(pieces);
      for (const piece of found) this.#observe?.(piece);
      if (pieces === null || found.length > 0) return found.length === 0 ? null : found;
    }
  }

  /** See `AnswerSource`. */
  get ended(): boolean {
    return this.#source.ended && this.#held.length === 0;
  }

  /** See `AnswerSource`. */
  discard(): void {
    this.#held = new Uint8Array();
    this.#source.discard();
  }

  /** What comes next; where the body broke off nothing, as long as there is something to be handed out. */
  async #coming(): Promise<readonly Bytes[] | null> {
    try {
      return await this.#source.next();
    } catch (error) {
      if (this.#held.length === 0) throw error;
      return null;
    }
  }

  #rest(): Bytes[] {
    const held = this.#held;
    this.#held = new Uint8Array();
    return held.length === 0 ? [] : [new Uint8Array(held)];
  }

  #replace(pieces: readonly Bytes[]): Bytes[] {
    const text = Buffer.concat([this.#held, ...pieces]);
    const found: Uint8Array[] = [];
    let at = 0;
    for (let next = text.indexOf(this.#from); next !== -1; next = text.indexOf(this.#from, at)) {
      found.push(text.subarray(at, next), this.#to);
      at = next + this.#from.length;
    }
    const end = text.length - this.#begunBytes(text.subarray(at));
    this.#held = text.subarray(end);
    found.push(text.subarray(at, end));
    const whole = Buffer.concat(found);
    return whole.length === 0 ? [] : [new Uint8Array(whole)];
  }

  /** How many bytes at the end of `text` may be the beginning of what is looked for. */
  #begunBytes(text: Buffer): number {
    const most = Math.min(text.length, this.#from.length - 1);
    for (let count = most; count > 0; count--) {
      if (text.subarray(-count).equals(this.#from.subarray(0, count))) return count;
    }
    return 0;
  }
}

/** Whether `text`, which is ASCII, stands anywhere in `bytes`. */
function standsIn(bytes: Uint8Array, text: string): boolean {
  const first = text.charCodeAt(0);
  for (let start = 0; start <= bytes.length - text.length; start++) {
    if (bytes[start] !== first) continue;
    let at = 1;
    while (at < text.length && bytes[start + at] === text.charCodeAt(at)) at++;
    if (at === text.length) return true;
  }
  return false;
}
