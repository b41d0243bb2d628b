/**
 * The streams of several instances that share one Redis.
 *
 * Nothing stays there for ever: an instance renews its presence and the streams that it holds, and what is
 * not renewed lapses. Who finds a stream whose holder has no presence may take it over.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { RedisConnection } from "../redis/mod.ts";
import type { FoundStream, Peers, StreamDirectory, StreamEntry, StreamMark } from "../relay/mod.ts";
import { Holdings } from "./holdings.ts";
import { newInstanceName } from "./instance.ts";
import { keptStream, markText } from "./kept.ts";
import { Presence } from "./presence.ts";
import { RedisPeers } from "./redis_peers.ts";
import { RedisStreams } from "./redis_streams.ts";
import { Trouble } from "./trouble.ts";

/** What a directory works with. */
export interface RedisStreamDirectoryOptions {
  /** Where it is. The connection is its user's: `shutdown` leaves it open. */
  readonly redis: RedisConnection;
  /** Time, and randomness. */
  readonly clock: Clock;
  /** How long a stream is kept that no instance renews, in milliseconds. */
  readonly ttlMs: number;
  /** Told, once as long as it lasts, of trouble that no caller hears of. */
  readonly onTrouble: (error: unknown) => void;
}

/** Streams in Redis. Methods reject with a `RedisError` where it fails. */
export class RedisStreamDirectory implements StreamDirectory {
  /** See `StreamDirectory`. */
  readonly instance: string;
  /** See `StreamDirectory`. */
  readonly peers: Peers;
  readonly #peers: RedisPeers;
  readonly #streams: RedisStreams;
  readonly #presence: Presence;
  readonly #holdings: Holdings;
  #ending: Promise<void> | undefined;

  private constructor({ redis, clock, ttlMs, onTrouble }: RedisStreamDirectoryOptions) {
    const instance = newInstanceName(clock);
    const streams = new RedisStreams(redis, instance, ttlMs);
    const trouble = new Trouble(onTrouble);
    const holdings = new Holdings({ streams, clock, instance, ttlMs, trouble });
    this.instance = instance;
    this.#streams = streams;
    this.#holdings = holdings;
    this.#presence = new Presence({
      redis,
      clock,
      instance,
      trouble: new Trouble(onTrouble),
      onBack: () => void holdings.renewAll(),
    });
    this.#peers = new RedisPeers({ redis, instance, trouble: new Trouble(onTrouble) });
    this.peers = this.#peers;
  }

  /**
   * A new instance, which others see and can speak to.
   *
   * @throws {RedisError}
   */
  static async join(options: RedisStreamDirectoryOptions): Promise<RedisStreamDirectory> {
    const directory = new RedisStreamDirectory(options);
    await directory.#peers.begin();
    try {
      await directory.#presence.begin();
    } catch (error) {
      await directory.#peers.end();
      throw error;
    }
    directory.#holdings.begin();
    return directory;
  }

  /** See `StreamDirectory`. Where it fails, it is tried again until the stream is closed or released. */
  async open(entry: StreamEntry): Promise<void> {
    if (this.#ending !== undefined) return;
    const kept = keptStream(entry, this.instance);
    this.#holdings.add(entry, kept.mark);
    await this.#streams.open(entry, kept);
  }

  /** See `StreamDirectory`. Sent at once: behind what was sent before on the same connection. */
  async mark(name: string, mark: StreamMark): Promise<boolean> {
    return await this.#holdings.mark(name, markText(mark));
  }

  /** See `StreamDirectory`. */
  async close(entry: StreamEntry): Promise<void> {
    this.#holdings.remove(entry.name);
    await this.#streams.close(entry);
  }

  /** See `StreamDirectory`. */
  async release(name: string): Promise<void> {
    this.#holdings.remove(name);
    await this.#streams.release(name);
  }

  /** See `StreamDirectory`. */
  async find(session: string, name: string): Promise<FoundStream | undefined> {
    const found = await this.#streams.read(name);
    return found?.entry.session === session ? found : undefined;
  }

  /** See `StreamDirectory`. */
  async subscriptions(session: string): Promise<readonly FoundStream[]> {
    const names = await this.#streams.names(session);
    const all = await Promise.all(names.map((name) => this.find(session, name)));
    const gone = names.filter((_, at) => all[at] === undefined);
    if (gone.length > 0) await this.#streams.dropNames(session, gone);
    return all.filter((found) => found !== undefined);
  }

  /** See `StreamDirectory`. */
  async isAlive(instance: string): Promise<boolean> {
    return await this.#presence.isAlive(instance);
  }

  /** See `StreamDirectory`. */
  async takeOver(name: string, owner: string): Promise<boolean> {
    if (this.#ending !== undefined) return false;
    const found = await this.#streams.takeOver(name, owner);
    // Whose holder has no presence may be taken over by the next one.
    if (found === undefined || this.#ending !== undefined) return false;
    this.#holdings.add(found.entry, markText(found.mark));
    // The set of its session may be about to lapse. Where this fails the next pass does it.
    if (found.entry.requestIds.length === 0) await this.#holdings.renew(name).catch(() => {});
    return true;
  }

  /** See `StreamDirectory`. Never rejects: what stays there lapses. */
  shutdown(): Promise<void> {
    return this.#ending ??= this.#end();
  }

  async #end(): Promise<void> {
    this.#presence.stop();
    this.#holdings.stop();
    await this.#holdings.releaseAll();
    await this.#presence.end();
    await this.#peers.end();
  }
}
