/**
 * A body on its way from one end of a call to the other: no more of it than a window is under way or waits
 * for its reader.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import type { PeerCallBounds } from "./bounds.ts";

/** The end from which the body comes. */
export class Outflow {
  readonly #bounds: PeerCallBounds;
  readonly #say: (bytes: Bytes) => void;
  #sent = 0;
  #taken = 0;
  #room: PromiseWithResolvers<void> | undefined;
  #ended = false;

  /** Nothing has been sent. */
  constructor(bounds: PeerCallBounds, say: (bytes: Bytes) => void) {
    this.#bounds = bounds;
    this.#say = say;
  }

  /** Counts what was sent beside it. */
  count(bytes: number): void {
    this.#sent += bytes;
  }

  /** Sends bytes in chunks, each when there is room. @returns false where nobody wants them any more */
  async write(bytes: Bytes): Promise<boolean> {
    const { chunkBytes, windowBytes } = this.#bounds;
    for (let at = 0; at < bytes.length && !this.#ended; at += chunkBytes) {
      const chunk = bytes.subarray(at, at + chunkBytes);
      while (!this.#ended && this.#sent + chunk.length - this.#taken > windowBytes) {
        this.#room ??= Promise.withResolvers();
        await this.#room.promise;
      }
      if (this.#ended) break;
      this.#sent += chunk.length;
      this.#say(chunk);
    }
    return !this.#ended;
  }

  /** The other end has taken so many bytes in all. @returns false where it cannot have */
  taken(count: number): boolean {
    if (count > this.#sent || count < this.#taken) return false;
    this.#taken = count;
    this.#makeRoom();
    return true;
  }

  /** Sends nothing more. */
  end(): void {
    this.#ended = true;
    this.#makeRoom();
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}

/** The end at which the body arrives. */
export class Inflow {
  readonly #windowBytes: number;
  readonly #say: (count: number) => void;
  #came = 0;
  #told = 0;
  #isHeld = false;

  /** Nothing has come. `say` tells the other end how much was taken. */
  constructor({ windowBytes }: PeerCallBounds, say: (count: number) => void) {
    this.#windowBytes = windowBytes;
    this.#say = say;
  }

  /** Bytes have come, for `take`. @returns false where they are more than may be under way; they are not taken then */
  came(bytes: Bytes, take: (bytes: Bytes) => void): boolean {
    this.#came += bytes.length;
    if (this.#came - this.#told > this.#windowBytes) return false;
    take(bytes);
    // A part of the window is enough to say: the other end is never kept waiting for want of it.
    if (!this.#isHeld && this.#came - this.#told >= this.#windowBytes / 4) this.#tell();
    return true;
  }

  /** The reader does not read: what comes is not taken. */
  hold(): void {
    this.#isHeld = true;
  }

  /** The reader reads again. */
  release(): void {
    this.#isHeld = false;
    if (this.#came > this.#told) this.#tell();
  }

  #tell(): void {
    this.#told = this.#came;
    this.#say(this.#came);
  }
}
