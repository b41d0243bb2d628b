/**
 * Messages as lines on stdout.
 *
 * Source: 2026-07-28 basic/transports/stdio: one message a line, without line breaks in it.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import { encode } from "../rpc/mod.ts";

/** The part of `Deno.stdout` that is used. */
export interface LineWriter {
  /** Writes some of the bytes and resolves with how many. */
  write(bytes: Bytes): Promise<number>;
}

/** Writes one line after the other. Whoever has said something waits until it is taken. */
export class Output {
  readonly #writer: LineWriter;
  readonly #onBroken: () => void;
  #tail: Promise<void> = Promise.resolve();
  #broken = false;

  /** On `writer`; `onBroken` is called once when nobody reads it any more. */
  constructor(writer: LineWriter, onBroken: () => void) {
    this.#writer = writer;
    this.#onBroken = onBroken;
  }

  /** Writes a message; resolves when it is written, or nothing can be written any more. Never rejects. */
  write(text: string): Promise<void> {
    // A line break inside a message stands between tokens: in strings JSON has none.
    const line = encode(`${text.replaceAll(/[\r\n]/g, " ")}\n`);
    this.#tail = this.#tail.then(() => this.#write(line));
    return this.#tail;
  }

  async #write(line: Bytes): Promise<void> {
    if (this.#broken) return;
    try {
      for (let at = 0; at < line.length;) at += await this.#writer.write(line.subarray(at));
    } catch {
      this.#broken = true;
      this.#onBroken();
    }
  }
}
