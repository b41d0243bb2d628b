/**
 * Which events are held and which go: the books of an event log, without the bytes.
 *
 * All runs of events stand in one line, oldest first, and those of a stream in a queue of its own; so the
 * oldest event of all, that of a stream, and one with a given number are found without a search through the
 * others. Whoever keeps the bytes hangs them on the run, or is told what has gone.
 *
 * @module
 */

import { type EventLogLimits, type EventLogSize, type LoggedEvent, UNKNOWN } from "./log.ts";
import { Queue } from "./queue.ts";
import { RunLine } from "./run_line.ts";
import {
  beginOf,
  cutGone,
  eventsAfter,
  type Found,
  lastSeq,
  newRun,
  type Run,
  type StreamBook,
} from "./stream_book.ts";

/**
 * What an event is counted at beside its bytes. In `MemoryEventLog` one that is appended alone takes 221 to
 * 257 bytes more than its own, one of 50 appended together 23 (measured, Deno 2.9.5).
 */
export const EVENT_OVERHEAD_BYTES = 256;

/** Who keeps the bytes. */
export interface Keeper<P> {
  /** Keeps the events from the index `from` to before `to`; what it returns hangs on their run. */
  keep(
    stream: StreamBook<P>,
    events: readonly LoggedEvent[],
    from: number,
    to: number,
    atMs: number,
  ): P;
  /** Events at the front of a run have gone, and nothing of its stream ahead of them is held. */
  dropped(run: Run<P>): void;
  /** A stream has gone, with all its events. */
  forgotten(stream: StreamBook<P>): void;
}

const NOTHING: Found<never> = { ...UNKNOWN, parts: [] };

/** The books. */
export class Ledger<P> {
  readonly #limits: EventLogLimits;
  readonly #maxEventBytes: number;
  readonly #keeper: Keeper<P>;
  /** In the order of the last append. */
  readonly #streams = new Map<string, StreamBook<P>>();
  readonly #runs = new RunLine<P>();
  #lastId = 0;
  #events = 0;
  #bytes = 0;

  /** Empty books. */
  constructor(limits: EventLogLimits, keeper: Keeper<P>) {
    this.#limits = limits;
    this.#keeper = keeper;
    this.#maxEventBytes = Math.min(limits.maxStreamBytes, limits.maxBytes) - EVENT_OVERHEAD_BYTES;
  }

  /** How much is held. */
  get size(): EventLogSize {
    return { streams: this.#streams.size, events: this.#events, bytes: this.#bytes };
  }

  /**
   * Sees whether events may follow those of a stream.
   *
   * @throws {RangeError} when a `seq` does not rise.
   */
  check(name: string, events: readonly LoggedEvent[]): void {
    let newest = this.#streams.get(name)?.newest ?? 0;
    for (const { seq } of events) {
      if (!Number.isSafeInteger(seq) || seq <= newest) {
        throw notRising(seq, newest);
      }
      newest = seq;
    }
  }

  /** Enters events, and has go what they leave no room for. */
  append(name: string, events: readonly LoggedEvent[], nowMs: number): StreamBook<P> {
    this.check(name, events);
    this.expire(nowMs);
    const stream = this.#use(name);
    stream.newest = events.at(-1)?.seq ?? stream.newest;
    let from = 0;
    for (let index = 0; index < events.length; index++) {
      const { seq, bytes } = events[index]!;
      if (bytes.length > this.#maxEventBytes) {
        this.#enter(stream, events, from, index, nowMs);
        from = index + 1;
      } else if (index > from && seq !== events[index - 1]!.seq + 1) {
        this.#enter(stream, events, from, index, nowMs);
        from = index;
      }
    }
    this.#enter(stream, events, from, events.length, nowMs);
    this.#trim(stream);
    return stream;
  }

  /**
   * Enters events whose numbers follow each other from `seq` on.
   *
   * @param keep has all their bytes kept; what it returns hangs on their run
   * @returns false, and nothing done, where one of them is too large to be kept
   * @throws {RangeError} when a `seq` does not rise.
   */
  appendRun(
    name: string,
    seq: number,
    ends: readonly number[],
    nowMs: number,
    keep: (stream: StreamBook<P>) => P,
  ): boolean {
    for (let at = 0, begin = 0; at < ends.length; begin = ends[at++]!) {
      if (ends[at]! - begin > this.#maxEventBytes) return false;
    }
    const newest = this.#streams.get(name)?.newest ?? 0;
    if (!Number.isSafeInteger(seq) || seq <= newest) throw notRising(seq, newest);
    this.expire(nowMs);
    const stream = this.#use(name);
    stream.newest = seq + ends.length - 1;
    this.#link(newRun(stream, seq, [...ends], nowMs, keep(stream)));
    this.#count(stream, ends.length, ends.at(-1)! + ends.length * EVENT_OVERHEAD_BYTES);
    this.#trim(stream);
    return true;
  }

  /** Which events of a stream stand behind `seq`. */
  after(name: string, seq: number, maxBytes: number, nowMs: number): Found<P> {
    this.expire(nowMs);
    const stream = this.#streams.get(name);
    if (stream === undefined || !(Number.isSafeInteger(seq) && seq >= 0 && seq <= stream.newest)) {
      return NOTHING;
    }
    return eventsAfter(stream, seq, maxBytes);
  }

  /** Drops a stream. */
  forget(name: string): void {
    const stream = this.#streams.get(name);
    if (stream === undefined) return;
    this.#remove(stream);
    this.#keeper.forgotten(stream);
  }

  /** Has go what is too old. */
  expire(nowMs: number): void {
    for (;;) {
      const run = this.#runs.oldest;
      if (run === undefined || nowMs - run.atMs < this.#limits.maxAgeMs) return;
      this.#drop(run, run.ends.length - run.gone);
    }
  }

  /** The highest `seq` that a stream had, held or not; undefined for one that is not in the books. */
  newest(name: string): number | undefined {
    return this.#streams.get(name)?.newest;
  }

  /**
   * Enters a stream anew, without its events, as the one used last. Nobody is told that these have gone:
   * `restoreEvent` enters those that turn out to be held.
   */
  reset(name: string, newest: number): StreamBook<P> {
    const known = this.#streams.get(name);
    if (known !== undefined) this.#remove(known);
    const stream = this.#use(name);
    stream.newest = newest;
    return stream;
  }

  /** Enters a stream that an earlier process had; in the order of their last use. */
  restoreStream(id: number, name: string, newest: number): StreamBook<P> {
    const stream = { id, name, runs: new Queue<Run<P>>(), newest, events: 0, bytes: 0 };
    this.#streams.set(name, stream);
    this.#lastId = Math.max(this.#lastId, id);
    return stream;
  }

  /** Enters an event that an earlier process kept; in the order in which they were appended. */
  restoreEvent(stream: StreamBook<P>, seq: number, size: number, atMs: number, payload: P): void {
    const run = this.#runs.newest;
    const isNext = run !== undefined && run.stream === stream && run.atMs === atMs &&
      lastSeq(run) + 1 === seq;
    if (isNext) run.ends.push(run.ends.at(-1)! + size);
    else this.#link(newRun(stream, seq, [size], atMs, payload));
    stream.newest = Math.max(stream.newest, seq);
    this.#count(stream, 1, size + EVENT_OVERHEAD_BYTES);
  }

  /** Has go what the limits leave no room for: after a restoring under other limits. */
  trimAll(nowMs: number): void {
    this.expire(nowMs);
    while (this.#streams.size > this.#limits.maxStreams) this.#forgetUnused();
    for (const stream of this.#streams.values()) this.#trim(stream);
  }

  /** Empties the books; nobody is told. */
  clear(): void {
    this.#streams.clear();
    this.#runs.clear();
    this.#events = this.#bytes = 0;
  }

  /** The stream of that name, as the one used last. */
  #use(name: string): StreamBook<P> {
    const known = this.#streams.get(name);
    if (known === undefined) {
      while (this.#streams.size >= this.#limits.maxStreams) this.#forgetUnused();
      return this.restoreStream(this.#lastId + 1, name, 0);
    }
    this.#streams.delete(name);
    this.#streams.set(name, known);
    return known;
  }

  #remove(stream: StreamBook<P>): void {
    this.#streams.delete(stream.name);
    for (let at = 0; at < stream.runs.length; at++) this.#runs.remove(stream.runs.at(at)!);
    this.#events -= stream.events;
    this.#bytes -= stream.bytes;
  }

  #forgetUnused(): void {
    const [name] = this.#streams.keys();
    this.forget(name!);
  }

  #enter(
    stream: StreamBook<P>,
    events: readonly LoggedEvent[],
    from: number,
    to: number,
    atMs: number,
  ): void {
    if (from === to) return;
    const payload = this.#keeper.keep(stream, events, from, to, atMs);
    // An array that grows by pushing takes room for 17 entries at once.
    const ends = new Array<number>(to - from);
    let end = 0;
    for (let index = from; index < to; index++) {
      end += events[index]!.bytes.length;
      ends[index - from] = end;
    }
    this.#link(newRun(stream, events[from]!.seq, ends, atMs, payload));
    this.#count(stream, to - from, end + (to - from) * EVENT_OVERHEAD_BYTES);
  }

  #count(stream: StreamBook<P>, events: number, bytes: number): void {
    stream.events += events;
    stream.bytes += bytes;
    this.#events += events;
    this.#bytes += bytes;
  }

  #trim(stream: StreamBook<P>): void {
    const { maxEvents, maxBytes, maxStreamEvents, maxStreamBytes } = this.#limits;
    while (stream.events > maxStreamEvents || stream.bytes > maxStreamBytes) {
      const run = stream.runs.at(0)!;
      // As many as it is sure that they go: whoever keeps the bytes is told once.
      const excess = Math.max(stream.events - maxStreamEvents, 1);
      this.#drop(run, Math.min(excess, run.ends.length - run.gone));
    }
    while (this.#events > maxEvents || this.#bytes > maxBytes) this.#drop(this.#runs.oldest!, 1);
  }

  /** Drops the first `count` events that are held of a run, the first one of its stream. */
  #drop(run: Run<P>, count: number): void {
    const begin = beginOf(run, run.gone);
    run.gone += count;
    this.#count(run.stream, -count, begin - beginOf(run, run.gone) - count * EVENT_OVERHEAD_BYTES);
    this.#keeper.dropped(run);
    if (run.gone === run.ends.length) {
      this.#runs.remove(run);
      run.stream.runs.shift();
    } else if (run.gone * 2 > run.ends.length) {
      cutGone(run);
    }
  }

  #link(run: Run<P>): void {
    run.stream.runs.push(run);
    this.#runs.add(run);
  }
}

function notRising(seq: number, newest: number): RangeError {
  return new RangeError(`Event ${seq} of a stream cannot follow event ${newest}.`);
}
