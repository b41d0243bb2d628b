/**
 * The streams that this instance holds in Redis, which would be dropped there unless they are renewed.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import type { StreamEntry } from "../relay/mod.ts";
import { keptStream } from "./kept.ts";
import type { RedisStreams } from "./redis_streams.ts";
import type { Trouble } from "./trouble.ts";

/** Commands that are sent before the answers to them are waited for. */
export const BATCH_COMMANDS = 500;

/** Longest time between two passes, in milliseconds: timers cannot count to the longest ones thinkable. */
const MAX_RENEWAL_MS = 3_600_000;

/** What is known here of a stream that this instance holds. */
interface Holding {
  readonly entry: StreamEntry;
  /** The newest mark, as it is kept. */
  mark: string;
}

/** What holdings work with. */
export interface HoldingsOptions {
  /** Where they are kept. */
  readonly streams: RedisStreams;
  /** Time. */
  readonly clock: Clock;
  /** This instance. */
  readonly instance: string;
  /** How long a stream is kept without being renewed, in milliseconds. */
  readonly ttlMs: number;
  /** Told when renewing or letting go fails. */
  readonly trouble: Trouble;
}

/** The streams that this instance holds: as many as the relay has open. */
export class Holdings {
  readonly #options: HoldingsOptions;
  readonly #held = new Map<string, Holding>();
  #timer: Timer | undefined;
  #passing = false;

  /** None, and none is renewed. */
  constructor(options: HoldingsOptions) {
    this.#options = options;
  }

  /** How many there are. */
  get size(): number {
    return this.#held.size;
  }

  /** Renews them all, now and then. */
  begin(): void {
    const { clock, ttlMs } = this.#options;
    this.#timer = clock.after(Math.min(ttlMs / 3, MAX_RENEWAL_MS), () => {
      this.begin();
      void this.renewAll();
    });
  }

  /** Renews none any more. */
  stop(): void {
    this.#timer?.cancel();
  }

  /** This instance holds a stream, and has kept `mark` of it. */
  add(entry: StreamEntry, mark: string): void {
    this.#held.set(entry.name, { entry, mark });
  }

  /** It does not. */
  remove(name: string): void {
    this.#held.delete(name);
  }

  /** Notes and sends how far a stream has come; false, and nothing else, for one that is not held. */
  async mark(name: string, mark: string): Promise<boolean> {
    const holding = this.#held.get(name);
    if (holding === undefined) return false;
    holding.mark = mark;
    // One that is gone in Redis, and not another's, comes back when it is renewed.
    const isHeld = await this.#options.streams.mark(name, mark);
    if (!isHeld && this.#held.get(name) === holding) this.remove(name);
    return isHeld;
  }

  /** Renews one stream. */
  async renew(name: string): Promise<void> {
    const holding = this.#held.get(name);
    if (holding === undefined) return;
    const { streams, instance } = this.#options;
    const { entry } = holding;
    const state = await streams.renew(entry);
    if (state === "held" || this.#held.get(name) !== holding) return;
    if (state === "lost") return this.remove(name);
    // Redis has lost what it had, or could not be reached when the stream began.
    await streams.open(entry, { ...keptStream(entry, instance), mark: holding.mark });
  }

  /** Renews all of them; never rejects. One pass at a time, which a failure ends. */
  async renewAll(): Promise<void> {
    if (this.#passing) return;
    this.#passing = true;
    if (await this.#inBatches([...this.#held.keys()], (name) => this.renew(name))) {
      this.#options.trouble.over();
    }
    this.#passing = false;
  }

  /** Lets go of all of them; never rejects. Who fails here has no presence soon, which is as good. */
  async releaseAll(): Promise<void> {
    const names = [...this.#held.keys()];
    this.#held.clear();
    await this.#inBatches(names, (name) => this.#options.streams.release(name));
  }

  /** Whether it worked for all. */
  async #inBatches(
    names: readonly string[],
    act: (name: string) => Promise<void>,
  ): Promise<boolean> {
    try {
      for (let at = 0; at < names.length; at += BATCH_COMMANDS) {
        await Promise.all(names.slice(at, at + BATCH_COMMANDS).map(act));
      }
      return true;
    } catch (error) {
      this.#options.trouble.tell(error);
      return false;
    }
  }
}
