/**
 * A channel in the hands of who has it opened: from before it is there until it is over.
 *
 * @module
 */

import type { ProxyError } from "../errors.ts";
import type { FieldReader } from "../http/mod.ts";
import type { Channel } from "./channel.ts";

/** One channel. */
export class HeldChannel {
  #channel: Channel | undefined;
  #failure: ProxyError | undefined;
  #paused = false;

  /** Whether it is there, or was. */
  get isOpen(): boolean {
    return this.#channel !== undefined;
  }

  /** Whether nothing can be sent or come any more. */
  get isOver(): boolean {
    return this.#failure !== undefined;
  }

  /** It is there, and paused where that was asked for before. */
  use(channel: Channel): void {
    this.#channel = channel;
    if (this.#paused) channel.pause();
  }

  /** @throws {ProxyError} why it is over, where it is */
  requireGoingOn(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** See `Channel`. @throws {ProxyError} why it is over, where it is */
  send(text: string, headers?: FieldReader): Promise<void> {
    this.requireGoingOn();
    return this.#channel!.send(text, headers);
  }

  /** Sends a message of the proxy's own where that can be; `onLost` is told where it could not after all. */
  tell(text: string, onLost: () => void): void {
    if (!this.isOver) this.#channel?.send(text).catch(onLost);
  }

  /** See `Channel`. */
  pause(): void {
    this.#paused = true;
    if (!this.isOver) this.#channel?.pause();
  }

  /** See `Channel`. */
  resume(): void {
    this.#paused = false;
    if (!this.isOver) this.#channel?.resume();
  }

  /** It is over because of `failure`, and still to be closed; false where it was over before. */
  end(failure: ProxyError): boolean {
    if (this.isOver) return false;
    this.#failure = failure;
    return true;
  }

  /** See `Channel`; undefined where it is not there. */
  close(): Promise<void> | undefined {
    return this.#channel?.close();
  }
}
