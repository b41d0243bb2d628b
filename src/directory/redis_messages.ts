/**
 * Texts between instances, each on the channel of the one that it is for, and the sign that this one runs.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { InstanceMessages } from "../peers/mod.ts";
import type { RedisConnection } from "../redis/mod.ts";
import { newInstanceName } from "./instance.ts";
import { Presence } from "./presence.ts";
import { Trouble } from "./trouble.ts";

/** What messages work with. */
export interface RedisMessagesOptions {
  /** Where the channels are. The connection is its user's: `shutdown` leaves it open. */
  readonly redis: RedisConnection;
  /** Time, and randomness. */
  readonly clock: Clock;
  /** Told, once as long as it lasts, of trouble that no caller hears of. */
  readonly onTrouble: (error: unknown) => void;
}

/** The other instances behind a Redis. Methods reject with a `RedisError` where it fails. */
export class RedisMessages implements InstanceMessages {
  /** See `InstanceMessages`. */
  readonly instance: string;
  readonly #redis: RedisConnection;
  readonly #presence: Presence;
  #listener: ((text: string) => void) | undefined;
  #unsubscribe: (() => Promise<void>) | undefined;

  private constructor({ redis, clock, onTrouble }: RedisMessagesOptions) {
    const instance = newInstanceName(clock);
    const trouble = new Trouble(onTrouble);
    this.instance = instance;
    this.#redis = redis;
    this.#presence = new Presence({ redis, clock, instance, trouble, onBack: () => {} });
  }

  /**
   * A new instance, which hears what is said to it.
   *
   * @throws {RedisError}
   */
  static async join(options: RedisMessagesOptions): Promise<RedisMessages> {
    const messages = new RedisMessages(options);
    const channel = messages.#channel(messages.instance);
    messages.#unsubscribe = await options.redis.subscribe(
      channel,
      (text) => messages.#listener?.(text),
    );
    try {
      await messages.#presence.begin();
    } catch (error) {
      await messages.#unsubscribe();
      throw error;
    }
    return messages;
  }

  /** See `InstanceMessages`. */
  async send(to: string, text: string): Promise<boolean> {
    // How many have heard it: of a channel that belongs to one instance, none or one.
    return await this.#redis.command("PUBLISH", this.#channel(to), text) !== 0;
  }

  /** See `InstanceMessages`. */
  listen(listener: (text: string) => void): void {
    this.#listener = listener;
  }

  /** See `InstanceMessages`. */
  async isAlive(instance: string): Promise<boolean> {
    return await this.#presence.isAlive(instance);
  }

  /** Is not there any more. Never rejects: what stays in Redis lapses. */
  async shutdown(): Promise<void> {
    this.#listener = undefined;
    await this.#presence.end();
    await this.#unsubscribe?.();
  }

  #channel(instance: string): string {
    return `${this.#redis.prefix}:calls:${instance}`;
  }
}
