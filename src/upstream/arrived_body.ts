/**
 * The body of an answer that came whole with its head, as most do: nothing of it is waited for.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import type { UpstreamBody } from "./upstream.ts";

const NOTHING: Bytes = new Uint8Array();

/** A body that is over before anybody has read it. */
export class ArrivedBody implements UpstreamBody {
  #bytes: Bytes | undefined;

  /** A body of these bytes. */
  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  /** See `UpstreamBody`. */
  wholeNow(maxBytes: number): Bytes | undefined {
    if (this.#bytes !== undefined && this.#bytes.length > maxBytes) return undefined;
    return this.#take() ?? NOTHING;
  }

  /** See `UpstreamBody`. */
  bytesWithin(maxBytes: number): Promise<Bytes | null> {
    return Promise.resolve(this.wholeNow(maxBytes) ?? null);
  }

  /** See `UpstreamBody`. */
  next(): readonly Bytes[] | null {
    const bytes = this.#take();
    return bytes === undefined ? null : [bytes];
  }

  /** See `UpstreamBody`. */
  get ended(): boolean {
    return this.#bytes === undefined;
  }

  /** See `UpstreamBody`. */
  tap(observe: (bytes: Uint8Array) => void): void {
    if (this.#bytes !== undefined) observe(this.#bytes);
  }

  /** See `UpstreamBody`: it is over. */
  whenOver(callback: () => void): void {
    callback();
  }

  /** See `UpstreamBody`: it has ended, and stays to be read. */
  end(): void {}

  /** See `UpstreamBody`: nothing of it can be lost any more. */
  breakOff(): void {}

  /** Nobody will read it. */
  discard(): void {
    this.#bytes = undefined;
  }

  #take(): Bytes | undefined {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    return bytes;
  }
}
