/**
 * One client of the library, and another in its place whenever it breaks.
 *
 * The library could connect again by itself, but the pause before it tries cannot be ended: a proxy that
 * stops while Redis is down would wait for it. Nor does its timeout of a command cover the answer.
 *
 * @module
 */

import type { RedisClientType } from "@redis/client";
import type { Clock, Timer } from "../clock.ts";

/** First wait before connecting again, in milliseconds; it doubles from there. */
const MIN_RECONNECT_MS = 50;

/** Longest wait before connecting again, in milliseconds. */
const MAX_RECONNECT_MS = 1_000;

/** What a link needs. */
export interface LinkOptions {
  readonly clock: Clock;
  /** Longest wait for a connection that can be used, in milliseconds. */
  readonly timeoutMs: number;
  /** A client that does not connect again by itself. */
  readonly make: () => RedisClientType;
  /** What to do on each connection before it is used. */
  readonly prepare: (client: RedisClientType) => Promise<void>;
  /** Told that the link is there again. */
  readonly onAgain: () => void;
  /** Told why the link broke, or cannot be made again. */
  readonly onTrouble: (error: unknown) => void;
}

/** A client that is there, or will be. */
export class Link {
  readonly #options: LinkOptions;
  #client: RedisClientType | undefined;
  #attempts = 0;
  #timer: Timer | undefined;
  /** The attempt to connect that is under way. */
  #dialing: Promise<void> | undefined;
  #giveUp: ((reason: Error) => void) | undefined;
  #closed = false;

  /** Not connected yet. */
  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** The client, where there is a connection. */
  get client(): RedisClientType | undefined {
    return this.#client;
  }

  /** Connects for the first time; where that fails the link is closed. */
  async connect(): Promise<void> {
    try {
      await this.#dial();
    } catch (error) {
      this.#closed = true;
      throw error;
    }
  }

  /** Gives up a client that is of no use any more, and connects again. */
  drop(client: RedisClientType, reason: unknown): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.destroy();
    this.#options.onTrouble(reason);
    this.#redialLater();
  }

  /** Lets go of everything; harmless more than once. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#giveUp?.(new Error("closed"));
    this.#client?.destroy();
    this.#client = undefined;
    await this.#dialing;
  }

  #redialLater(): void {
    if (this.#closed) return;
    const delayMs = Math.min(MIN_RECONNECT_MS * 2 ** this.#attempts, MAX_RECONNECT_MS);
    this.#attempts = Math.min(this.#attempts + 1, 10);
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#dialing = this.#redial();
    });
  }

  async #redial(): Promise<void> {
    try {
      await this.#dial();
    } catch (error) {
      if (!this.#closed) this.#options.onTrouble(error);
      this.#redialLater();
      return;
    }
    this.#attempts = 0;
    this.#options.onAgain();
  }

  async #dial(): Promise<void> {
    const { clock, timeoutMs, make, prepare } = this.#options;
    const client = make();
    // The library throws what nobody listens for. While dialing the failure is told by `connect` itself.
    client.on("error", (error) => this.drop(client, error));
    client.on("terminated", (cause) => this.drop(client, cause));
    const { promise: givenUp, reject: giveUp } = Promise.withResolvers<never>();
    this.#giveUp = giveUp;
    const deadline = clock.after(
      timeoutMs,
      () => giveUp(new Error(`no answer within ${timeoutMs} ms`)),
    );
    const connecting = client.connect().then(() => prepare(client));
    try {
      await Promise.race([connecting, givenUp]);
      if (!client.isReady) throw new Error("the connection was closed at once");
    } catch (error) {
      client.destroy();
      // A client that is destroyed before its socket is connected connects nonetheless.
      connecting.then(() => client.destroy(), () => {});
      throw error;
    } finally {
      deadline.cancel();
      this.#giveUp = undefined;
    }
    this.#client = client;
  }
}
