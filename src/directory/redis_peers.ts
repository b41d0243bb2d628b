/**
 * Messages between instances, each on the channel of the one that it is for.
 *
 * @module
 */

import type { RedisConnection } from "../redis/mod.ts";
import type { PeerMessage, Peers, PeerWords } from "../relay/mod.ts";
import { MAX_MESSAGE_CHARACTERS, parsePeerMessage, peerMessageText } from "./peer_message.ts";
import type { Trouble } from "./trouble.ts";

/** What peers work with. */
export interface RedisPeersOptions {
  /** Where the channels are. */
  readonly redis: RedisConnection;
  /** This instance. */
  readonly instance: string;
  /** Told when sending fails. */
  readonly trouble: Trouble;
}

/** The other instances behind a Redis. */
export class RedisPeers implements Peers {
  readonly #options: RedisPeersOptions;
  #listener: ((message: PeerMessage) => void) | undefined;
  #unsubscribe: (() => Promise<void>) | undefined;

  /** Hears nothing yet. */
  constructor(options: RedisPeersOptions) {
    this.#options = options;
  }

  /**
   * Hears what is said to this instance from now on.
   *
   * @throws {RedisError}
   */
  async begin(): Promise<void> {
    const { redis, instance } = this.#options;
    this.#unsubscribe = await redis.subscribe(this.#channel(instance), (text) => this.#hear(text));
  }

  /** Hears nothing any more. */
  async end(): Promise<void> {
    this.#listener = undefined;
    await this.#unsubscribe?.();
  }

  /** See `Peers`. */
  send(to: string, stream: string, words: PeerWords): void {
    void this.#send(to, peerMessageText({ stream, from: this.#options.instance, ...words }));
  }

  /** See `Peers`. */
  listen(listener: (message: PeerMessage) => void): void {
    this.#listener = listener;
  }

  async #send(to: string, text: string): Promise<void> {
    const { redis, trouble } = this.#options;
    if (text.length > MAX_MESSAGE_CHARACTERS) {
      return trouble.tell(
        new RangeError(`A message to another instance is too long: ${text.length} characters.`),
      );
    }
    try {
      await redis.command("PUBLISH", this.#channel(to), text);
      trouble.over();
    } catch (error) {
      trouble.tell(error);
    }
  }

  #hear(text: string): void {
    const message = parsePeerMessage(text);
    if (message === undefined) return;
    try {
      this.#listener?.(message);
    } catch (error) {
      // It would break the connection that the message came on.
      this.#options.trouble.tell(error);
    }
  }

  #channel(instance: string): string {
    return `${this.#options.redis.prefix}:to:${instance}`;
  }
}
