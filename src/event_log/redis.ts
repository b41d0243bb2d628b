/**
 * An event log in Redis or Valkey, which several instances of the proxy share: what one has appended, any
 * of them replays, also when the one that wrote it has died. What is kept where, `redis_streams.ts` says.
 *
 * **Limits.** An instance has books of the streams that it writes, as `MemoryEventLog` has, and the
 * limits hold for these: what goes from the books goes from Redis with the next append. So with several
 * instances Redis holds at most the limits times their number. A stream that an instance has not written
 * before is taken over: its events enter the books of this one, as if they had come now, and its numbers
 * go on. An instance whose stream was taken over leaves it alone from then on. Streams of an instance
 * that died, and which nobody takes over, go by expiry: `maxAgeMs` and `KNOWN_LONGER_MS` after the last
 * append, which every append renews. Events are given for `maxAgeMs` of wall-clock time, whoever wrote them;
 * the clocks of the instances have to agree to about a second.
 *
 * **Failures.** Redis keeps an append as a whole or not at all. One that is refused, or of which it is not
 * known whether Redis did it, is rejected; the numbers it had are a gap where they are not held. This
 * instance tells of that gap at once, others when the stream goes on. What Redis lost of a stream, as in
 * a restart, is a gap likewise.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Bytes } from "../http/mod.ts";
import type { RedisConnection } from "../redis/mod.ts";
import { EventLogError } from "./error.ts";
import { GoneEvents } from "./gone_events.ts";
import { EVENT_OVERHEAD_BYTES, type Keeper, Ledger } from "./ledger.ts";
import {
  type EventLog,
  type EventLogLimits,
  type EventLogSize,
  eventsOfRun,
  type LoggedEvent,
  type Replay,
  UNKNOWN,
} from "./log.ts";
import { NO_STREAM, type RedisSizes, RedisStreams } from "./redis_streams.ts";
import { type GivenRun, runsFrom, runsOf } from "./runs.ts";
import { type Waiting, WaitingLines } from "./waiting_lines.ts";

/** How long a stream is known beyond its youngest event, so that who has all there was misses nothing. */
export const KNOWN_LONGER_MS = 60_000;

/** How often an append begins anew because somebody else wrote to its stream. */
const MAX_ATTEMPTS = 3;

/**
 * An event log in Redis. Its methods reject with an `EventLogError` when Redis fails. Appends to a stream
 * that are made while one is under way go to Redis together; what waits is bounded by `maxBytes`.
 */
export class RedisEventLog implements EventLog {
  readonly #clock: Clock;
  readonly #limits: EventLogLimits;
  readonly #streams: RedisStreams;
  readonly #ledger: Ledger<undefined>;
  readonly #lines: WaitingLines;
  /** What Redis has as the newest number of the streams in the books, unless that is not known. */
  readonly #kept = new Map<string, number>();
  /** What the books have let go of. */
  readonly #gone = new GoneEvents();
  /** What the append that is being entered has to keep. */
  #entering: GivenRun[] = [];
  #closed = false;

  /** A log on `redis`, under its prefix. The connection stays the caller's. */
  constructor(clock: Clock, limits: EventLogLimits, redis: RedisConnection) {
    this.#clock = clock;
    this.#limits = limits;
    this.#streams = new RedisStreams(redis);
    this.#ledger = new Ledger(limits, this.#keeper());
    this.#lines = new WaitingLines(
      limits.maxBytes,
      (stream, batch) =>
        batch[0]!.runs === undefined
          ? this.#forget(stream, batch[0]!)
          : this.#append(stream, batch),
    );
  }

  /** See `EventLog`: what this instance has written or taken over, and not what Redis holds. */
  get size(): EventLogSize {
    return this.#ledger.size;
  }

  /** See `EventLog`. Settles when Redis has all of it. */
  append(stream: string, events: readonly LoggedEvent[]): Promise<void> {
    return this.#enqueue(stream, costOf(events.length, bytesIn(events)), () => runsOf(events));
  }

  /** See `EventLog`. Settles when Redis has all of it. */
  appendRun(
    stream: string,
    seq: number,
    bytes: Bytes,
    ends: readonly number[],
  ): Promise<void> {
    const runs = () => ends.length === 0 ? [] : [{ seq, ends: [...ends], bytes: bytes.slice() }];
    return this.#enqueue(stream, costOf(ends.length, bytes.length), runs);
  }

  /** See `EventLog`: the same from every instance. It comes behind the appends that wait here. */
  async after(stream: string, seq: number, maxBytes: number): Promise<Replay> {
    await this.#lines.settled(stream);
    if (this.#closed || !Number.isSafeInteger(seq) || seq < 0) return UNKNOWN;
    this.#ledger.expire(this.#clock.monotonicMs());
    // Higher than what Redis has after an append that failed.
    const appended = this.#ledger.newest(stream) ?? 0;
    const found = await this.#streams.after(stream, seq, this.#youngMs(), maxBytes);
    if (found === undefined) return UNKNOWN;
    const { events, more } = found;
    const newest = Math.max(found.newest, appended);
    // That of an event which there never was is ahead of `newest`, and a gap too.
    const last = more ? events.at(-1)!.seq : newest;
    return { events, gap: last - seq !== events.length, more };
  }

  /** See `EventLog`. What this instance has in its books of the stream is read anew by the next append. */
  async rewind(stream: string, seq: number): Promise<void> {
    await this.#lines.settled(stream);
    if (this.#closed) return;
    this.#kept.delete(stream);
    if ((this.#ledger.newest(stream) ?? 0) > seq) this.#ledger.reset(stream, seq);
    await this.#streams.rewind(stream, seq);
  }

  /** See `EventLog`. A stream of another instance goes too. */
  forget(stream: string): Promise<void> {
    return this.#enqueue(stream, EVENT_OVERHEAD_BYTES);
  }

  /** See `EventLog`: waits for what is under way. What is in Redis stays there. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#lines.allSettled();
    this.#ledger.clear();
    this.#kept.clear();
    this.#gone.clear();
  }

  #youngMs(): number {
    return this.#clock.now().getTime() - this.#limits.maxAgeMs;
  }

  #keeper(): Keeper<undefined> {
    return {
      keep: (_stream, events, from, to) => {
        this.#entering.push(...runsOf(events.slice(from, to)));
      },
      dropped: (run) => this.#gone.dropped(run.stream.name, run.firstSeq + run.gone - 1),
      forgotten: ({ name: stream }) => {
        this.#gone.forgotten(stream, this.#kept.get(stream));
        this.#kept.delete(stream);
      },
    };
  }

  #enqueue(stream: string, cost: number, runs?: () => readonly GivenRun[]): Promise<void> {
    return this.#closed ? Promise.resolve() : this.#lines.enqueue(stream, cost, runs);
  }

  async #forget(stream: string, { resolve, reject }: Waiting): Promise<void> {
    // It goes at once, and not with the next append as what the books let go of.
    this.#kept.delete(stream);
    this.#ledger.forget(stream);
    try {
      await this.#streams.drop(stream);
      resolve();
    } catch (error) {
      reject(error);
    }
  }

  /** Keeps appends to a stream, as far as their numbers rise, all or none; never rejects. */
  async #append(stream: string, batch: readonly Waiting[]): Promise<void> {
    let rising = batch;
    try {
      for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
        const before = this.#ledger.newest(stream) ?? 0;
        rising = this.#enter(stream, rising);
        if (rising.length === 0) return;
        const done = await this.#send(stream);
        if (done) return rising.forEach(({ resolve }) => resolve());
        this.#kept.delete(stream);
        this.#restore(stream, before, await this.#streams.sizes(stream, this.#youngMs()));
      }
      throw new EventLogError("Another instance writes to the same stream of the event log.");
    } catch (error) {
      // What Redis has of the stream is not known. The next append sees to it, with the numbers of this one gone.
      this.#kept.delete(stream);
      const newest = this.#ledger.newest(stream);
      if (newest !== undefined) this.#ledger.reset(stream, newest);
      for (const { reject } of rising) reject(error);
    }
  }

  /** Enters appends in the books; those that do not rise are rejected, the others returned. */
  #enter(stream: string, batch: readonly Waiting[]): readonly Waiting[] {
    const nowMs = this.#clock.monotonicMs();
    this.#entering = [];
    return batch.filter(({ runs = [], reject }) => {
      try {
        const [run] = runs;
        const isKept = run !== undefined && runs.length === 1 &&
          this.#ledger.appendRun(stream, run.seq, run.ends, nowMs, () => {
            this.#entering.push(run);
            return undefined;
          });
        if (isKept) return true;
        const events = runs.flatMap(({ seq, bytes, ends }) => eventsOfRun(seq, bytes, ends));
        this.#ledger.append(stream, events, nowMs);
        return true;
      } catch (error) {
        reject(error);
        return false;
      }
    });
  }

  /**
   * Sends what was entered, and what it has made go elsewhere.
   *
   * @returns false, with nothing kept, where somebody else has written to the stream
   */
  async #send(stream: string): Promise<boolean> {
    const expected = this.#kept.get(stream) ?? NO_STREAM;
    const newest = this.#ledger.newest(stream)!;
    const from = this.#gone.takeFirst(stream);
    const runs = runsFrom(this.#entering, from);
    this.#entering = [];
    // Ahead of the append: a stream that is to go may be this one, which has given way and begins anew.
    const trimming = this.#trim();
    // What is sent from now on comes behind the append.
    this.#kept.set(stream, newest);
    const atMs = this.#clock.now().getTime();
    const expiryMs = this.#limits.maxAgeMs + KNOWN_LONGER_MS;
    const appending = this.#streams.append(stream, {
      expected,
      newest,
      runs,
      from,
      atMs,
      expiryMs,
    });
    const [had] = await Promise.all([appending, trimming]);
    return had === undefined;
  }

  /** Has go what is no longer in the books; never rejects: what it leaves goes later, or by expiry. */
  async #trim(): Promise<void> {
    const trims = this.#gone.take(this.#kept);
    try {
      await this.#streams.trim(trims);
    } catch {
      // Redis fails the append that it came with too.
    }
  }

  /** Enters what Redis has of a stream in place of what the books have. */
  #restore(stream: string, before: number, { newest, sizes }: RedisSizes): void {
    const nowMs = this.#clock.monotonicMs();
    const book = this.#ledger.reset(stream, Math.max(before, newest));
    for (const [seq, size] of sizes) this.#ledger.restoreEvent(book, seq, size, nowMs, undefined);
    this.#gone.restored(stream);
    this.#kept.set(stream, newest);
  }
}

function costOf(events: number, bytes: number): number {
  return bytes + (events + 1) * EVENT_OVERHEAD_BYTES;
}

function bytesIn(events: readonly LoggedEvent[]): number {
  return events.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
