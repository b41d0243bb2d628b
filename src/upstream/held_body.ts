/**
 * A body that is all there: one that was read to look into it, or that the proxy has made.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import { type Observe, observeToo } from "./observe.ts";
import type { UpstreamBody } from "./upstream.ts";

/** A body of these bytes. */
export function heldBody(bytes: Bytes): UpstreamBody {
  return new HeldBody(bytes);
}

class HeldBody implements UpstreamBody {
  #bytes: Bytes | undefined;
  #whenOver: (() => void)[] = [];
  #observe: Observe | undefined;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  wholeNow(maxBytes: number): Bytes | undefined {
    if ((this.#bytes?.length ?? 0) > maxBytes) return undefined;
    return this.#take() ?? new Uint8Array();
  }

  bytesWithin(maxBytes: number): Promise<Bytes | null> {
    return Promise.resolve(this.wholeNow(maxBytes) ?? null);
  }

  tap(observe: (bytes: Uint8Array) => void): void {
    this.#observe = observeToo(this.#observe, observe);
  }

  next(): readonly Bytes[] | null {
    const bytes = this.#take();
    return bytes === undefined || bytes.length === 0 ? null : [bytes];
  }

  get ended(): boolean {
    return this.#bytes === undefined;
  }

  end(): void {
    this.discard();
  }

  /** Nothing of it can be lost any more. */
  breakOff(): void {}

  discard(): void {
    this.#bytes = undefined;
    this.#settle();
  }

  whenOver(callback: () => void): void {
    if (this.#bytes === undefined) callback();
    else this.#whenOver.push(callback);
  }

  #take(): Bytes | undefined {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    if (bytes !== undefined && bytes.length > 0) this.#observe?.(bytes);
    this.#settle();
    return bytes;
  }

  #settle(): void {
    const callbacks = this.#whenOver;
    this.#whenOver = [];
    for (const callback of callbacks) callback();
  }
}
