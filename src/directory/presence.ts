/**
 * The sign in Redis that an instance runs.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import type { RedisConnection } from "../redis/mod.ts";
import type { Trouble } from "./trouble.ts";

/** How long an instance that died without a word is taken to run, in milliseconds. */
export const PRESENCE_TTL_MS = 6_000;

/** Time between renewals, in milliseconds: three may fail. */
export const PRESENCE_RENEWAL_MS = 1_500;

/** What a presence works with. */
export interface PresenceOptions {
  /** Where it is. */
  readonly redis: RedisConnection;
  /** Time. */
  readonly clock: Clock;
  /** The instance's name. */
  readonly instance: string;
  /** Told when renewing fails. */
  readonly trouble: Trouble;
  /** Told when it is there again after it was missing, or could not be renewed. */
  readonly onBack: () => void;
}

/** The presence of this instance, and the look for that of others. */
export class Presence {
  readonly #options: PresenceOptions;
  #timer: Timer | undefined;
  #failed = false;
  #ended = false;

  /** Not there yet. */
  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /**
   * Is there from now on.
   *
   * @throws {RedisError}
   */
  async begin(): Promise<void> {
    await this.#set();
    this.#renewLater();
  }

  /** Whether an instance is there. */
  async isAlive(instance: string): Promise<boolean> {
    return await this.#options.redis.command("EXISTS", this.#key(instance)) === 1;
  }

  /** Is not renewed from now on. */
  stop(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  /** Is not there any more; by itself where Redis fails. */
  async end(): Promise<void> {
    this.stop();
    const { redis, instance, trouble } = this.#options;
    try {
      await redis.command("DEL", this.#key(instance));
    } catch (error) {
      trouble.tell(error);
    }
  }

  #renewLater(): void {
    this.#timer = this.#options.clock.after(PRESENCE_RENEWAL_MS, () => {
      this.#renewLater();
      void this.#renew();
    });
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    const { redis, instance, trouble, onBack } = this.#options;
    try {
      const px = String(PRESENCE_TTL_MS);
      const isThere = await redis.command("PEXPIRE", this.#key(instance), px) === 1;
      if (this.#ended) return;
      if (!isThere) await this.#set();
      trouble.over();
      if (isThere && !this.#failed) return;
      this.#failed = false;
      onBack();
    } catch (error) {
      this.#failed = true;
      if (!this.#ended) trouble.tell(error);
    }
  }

  async #set(): Promise<void> {
    const { redis, instance } = this.#options;
    await redis.command("SET", this.#key(instance), "1", "PX", String(PRESENCE_TTL_MS));
  }

  #key(instance: string): string {
    return `${this.#options.redis.prefix}:instance:${instance}`;
  }
}
