/**
 * Reads messages from one end of a connection and keeps the bytes in which they came.
 *
 * @module
 */

import { joined, MessageReader } from "../wire/mod.ts";
import type { TcpEnd } from "./tcp.ts";

/** The other side says nothing in the middle of a message. */
export class Stalled extends Error {
  override readonly name = "Stalled";
}

/** Silence in the middle of a message, after which it is no longer waited for, in ms. */
const STALL_MS = 60;

/** A reader of messages that can tell the exact bytes of what it has read. */
export class Source {
  readonly reader: MessageReader;
  readonly #end: TcpEnd;
  readonly #onPiece: ((piece: Uint8Array) => Promise<void>) | undefined;
  #raw: Uint8Array[] = [];
  #length = 0;
  #pending: Promise<Uint8Array | null> | undefined;

  /** `onPiece` gets every piece before it is read. */
  constructor(end: TcpEnd, onPiece?: (piece: Uint8Array) => Promise<void>) {
    this.#end = end;
    this.#onPiece = onPiece;
    this.reader = new MessageReader(() => this.#pull());
  }

  /** Whether silence in the middle of a message is an error. */
  impatient = false;

  /** The bytes of what was read since this was last asked. */
  taken(): Uint8Array {
    const all = joined(this.#raw);
    const split = all.length - this.reader.pending.length;
    this.#keep(all.subarray(split));
    return all.subarray(0, split);
  }

  /** All bytes that came since `taken` was last asked, also those not read yet. */
  rest(): Uint8Array {
    const all = joined(this.#raw);
    this.#keep(new Uint8Array());
    return all;
  }

  /** What is on its way, if anything comes within `limitMs`; null at the end. */
  async more(limitMs: number): Promise<Uint8Array | null | "nothing"> {
    this.#pending ??= this.#end.read();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"nothing">((resolve) => {
      timer = setTimeout(() => resolve("nothing"), limitMs);
    });
    const first = await Promise.race([this.#pending, late]);
    clearTimeout(timer);
    if (first !== "nothing") this.#pending = undefined;
    return first;
  }

  async #pull(): Promise<Uint8Array | null> {
    const inside = this.impatient && this.#length > 0;
    const piece = inside ? await this.more(STALL_MS) : await this.#next();
    if (piece === "nothing") throw new Stalled("silence in the middle of a message");
    if (piece === null) return null;
    this.#raw.push(piece);
    this.#length += piece.length;
    await this.#onPiece?.(piece);
    return piece;
  }

  /** The next piece as it comes, past the reader. */
  async next(): Promise<Uint8Array | null> {
    return await this.#next();
  }

  async #next(): Promise<Uint8Array | null> {
    const pending = this.#pending ?? this.#end.read();
    this.#pending = undefined;
    return await pending;
  }

  #keep(bytes: Uint8Array): void {
    this.#raw = bytes.length === 0 ? [] : [bytes];
    this.#length = bytes.length;
  }
}
