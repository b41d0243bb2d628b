/**
 * Which events are held and which go: the books of an event log, without the bytes.
 *
 * Events that were appended together make a run, whose numbers have no hole. All runs stand in one
 * line, oldest first, and those of a stream in a queue of its own; so the oldest event of all, that of
 * a stream, and one with a given number are found without a search through the others. Whoever keeps the
 * bytes hangs them on the run, or is told what has gone.
 *
 * @module
 */

import { type EventLogLimits, type EventLogSize, type LoggedEvent, UNKNOWN } from "./log.ts";
import { Queue } from "./queue.ts";

/**
 * What an event is counted at beside its bytes. In `MemoryEventLog` one that is appended alone takes 221 to
 * 257 bytes more than its own, one of 50 appended together 23 (measured, Deno 2.9.5).
 */
export const EVENT_OVERHEAD_BYTES = 256;

/** A stream, as the books have it. */
export interface StreamBook<P> {
  /** Its number; streams that come later have higher ones. */
  readonly id: number;
  readonly name: string;
  readonly runs: Queue<Run<P>>;
  /** The highest `seq` there was, held or not. */
  newest: number;
  events: number;
  bytes: number;
}

/** Events of one stream that came together, with numbers that follow each other. */
export interface Run<P> {
  readonly stream: StreamBook<P>;
  readonly atMs: number;
  /** The number of its first event, held or not. */
  firstSeq: number;
  /** Where each event ends among the bytes of the run. */
  ends: number[];
  /** Where the first event begins: not at 0 once the entries of earlier ones have been cut off. */
  begin: number;
  /** How many of its first events are no longer held. */
  gone: number;
  /** What the keeper of the bytes hangs on it. */
  payload: P;
  older: Run<P> | undefined;
  newer: Run<P> | undefined;
}

/** Some events of a run: from the index `from` to before the index `to`. */
export interface Part<P> {
  readonly run: Run<P>;
  readonly from: number;
  readonly to: number;
}

/** Which events answer a question; as `Replay` has it, without the bytes. */
export interface Found<P> {
  readonly parts: readonly Part<P>[];
  readonly gap: boolean;
  readonly more: boolean;
}

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

/** Where the event at `index` begins among the bytes of the run. */
export function beginOf<P>(run: Run<P>, index: number): number {
  return index === 0 ? run.begin : run.ends[index - 1]!;
}

/** The books. */
export class Ledger<P> {
  readonly #limits: EventLogLimits;
  readonly #maxEventBytes: number;
  readonly #keeper: Keeper<P>;
  /** In the order of the last append. */
  readonly #streams = new Map<string, StreamBook<P>>();
  #oldest: Run<P> | undefined;
  #newest: Run<P> | undefined;
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
    const parts: Part<P>[] = [];
    let [count, bytes, last] = [0, 0, stream.newest];
    let more = false;
    for (let at = firstBehind(stream.runs, seq); at < stream.runs.length && !more; at++) {
      const run = stream.runs.at(at)!;
      const from = Math.max(run.gone, seq + 1 - run.firstSeq);
      let to = from;
      for (; to < run.ends.length; to++) {
        bytes += run.ends[to]! - beginOf(run, to);
        more = count > 0 && bytes > maxBytes;
        if (more) break;
        last = run.firstSeq + to;
        count++;
      }
      if (to > from) parts.push({ run, from, to });
    }
    if (!more) last = stream.newest;
    return { parts, gap: last - seq !== count, more };
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
      const run = this.#oldest;
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
    const run = this.#newest;
    const isNext = run !== undefined && run.stream === stream && run.atMs === atMs &&
      run.firstSeq + run.ends.length === seq;
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
    this.#oldest = this.#newest = undefined;
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
    for (let at = 0; at < stream.runs.length; at++) this.#unlink(stream.runs.at(at)!);
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
    while (this.#events > maxEvents || this.#bytes > maxBytes) this.#drop(this.#oldest!, 1);
  }

  /** Drops the first `count` events that are held of a run, the first one of its stream. */
  #drop(run: Run<P>, count: number): void {
    const begin = beginOf(run, run.gone);
    run.gone += count;
    this.#count(run.stream, -count, begin - beginOf(run, run.gone) - count * EVENT_OVERHEAD_BYTES);
    this.#keeper.dropped(run);
    if (run.gone === run.ends.length) {
      this.#unlink(run);
      run.stream.runs.shift();
    } else if (run.gone * 2 > run.ends.length) {
      // The entries of what has gone would be held as long as one event of the run is.
      run.begin = beginOf(run, run.gone);
      run.ends = run.ends.slice(run.gone);
      run.firstSeq += run.gone;
      run.gone = 0;
    }
  }

  #link(run: Run<P>): void {
    run.stream.runs.push(run);
    run.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = run;
    else this.#newest.newer = run;
    this.#newest = run;
  }

  #unlink(run: Run<P>): void {
    if (run.older === undefined) this.#oldest = run.newer;
    else run.older.newer = run.newer;
    if (run.newer === undefined) this.#newest = run.older;
    else run.newer.older = run.older;
    // A run that is garbage but old would otherwise hold all that came after it until it is collected.
    run.older = run.newer = undefined;
  }
}

function notRising(seq: number, newest: number): RangeError {
  return new RangeError(`Event ${seq} of a stream cannot follow event ${newest}.`);
}

function newRun<P>(
  stream: StreamBook<P>,
  firstSeq: number,
  ends: number[],
  atMs: number,
  payload: P,
): Run<P> {
  return {
    stream,
    atMs,
    firstSeq,
    ends,
    begin: 0,
    gone: 0,
    payload,
    older: undefined,
    newer: undefined,
  };
}

/** The place of the first run that holds an event behind `seq`. */
function firstBehind<P>(runs: Queue<Run<P>>, seq: number): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const run = runs.at(middle)!;
    if (run.firstSeq + run.ends.length - 1 > seq) high = middle;
    else low = middle + 1;
  }
  return low;
}
