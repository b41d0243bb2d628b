/**
 * An event log in memory.
 *
 * The bytes are copied, because what comes is mostly a view of a read buffer, which would be held as a
 * whole for one small event of it. They are copied into buffers that many events of a stream share:
 * a buffer of its own for each event takes 1 us to make and to collect, a copy 0.03 us. So that no such
 * buffer is held for one small event either, they grow with the stream, and are cut to what is held when
 * that is less than half: all buffers of a log take at most three times the bytes it counts.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Bytes } from "../http/mod.ts";
import { type Keeper, Ledger } from "./ledger.ts";
import {
  type EventLog,
  type EventLogLimits,
  type EventLogSize,
  eventsOfRun,
  type LoggedEvent,
  type Replay,
  UNKNOWN,
} from "./log.ts";
import { beginOf, type Run, type StreamBook } from "./stream_book.ts";

/** Longest buffer that is made ahead of what it is to hold. */
const MAX_BUFFER_BYTES = 65_536;

/** Which part of what a stream counts its newest buffer may take while there is nothing in it. */
const BUFFER_SHARE = 4;

/** Bytes of some runs of a stream that follow each other. What is written in it never changes. */
interface Buffer {
  /** The place of `bytes[0]`; places stay as they are when the buffer is cut. */
  begin: number;
  /** The place behind what is written. */
  end: number;
  bytes: Bytes;
}

/** Where the bytes of a run are. */
interface Place {
  readonly buffer: Buffer;
  /** The place of the run's first byte. */
  readonly at: number;
}

const keeper: Keeper<Place> = {
  keep(stream, events, from, to) {
    let length = 0;
    for (let index = from; index < to; index++) length += events[index]!.bytes.length;
    const buffer = bufferFor(stream, length);
    const at = buffer.end;
    for (let index = from; index < to; index++) {
      const { bytes } = events[index]!;
      buffer.bytes.set(bytes, buffer.end - buffer.begin);
      buffer.end += bytes.length;
    }
    return { buffer, at };
  },
  dropped(run) {
    const { buffer, at } = run.payload;
    const begin = at + beginOf(run, run.gone);
    if ((buffer.end - begin) * 2 < buffer.bytes.length) cut(buffer, begin);
    const newest = run.stream.runs.last!.payload.buffer;
    if (newest.bytes.length > run.stream.bytes) cut(newest, newest.begin);
  },
  forgotten() {},
};

/** A buffer of the stream with room for `length` bytes: its newest one, or one that follows that. */
function bufferFor(stream: StreamBook<Place>, length: number): Buffer {
  const newest = stream.runs.last?.payload.buffer;
  // Room that stays unused is less than what follows it takes.
  if (newest !== undefined && newest.end - newest.begin + length <= newest.bytes.length) {
    return newest;
  }
  const ahead = Math.min(MAX_BUFFER_BYTES, Math.floor(stream.bytes / BUFFER_SHARE));
  // Room in which the next append would not fit either would only be held.
  return { begin: 0, end: 0, bytes: new Uint8Array(length * 2 > ahead ? length : ahead) };
}

/** Has the buffer hold what is written from the place `begin` on, and nothing else. */
function cut(buffer: Buffer, begin: number): void {
  buffer.bytes = buffer.bytes.slice(begin - buffer.begin, buffer.end - buffer.begin);
  buffer.begin = begin;
}

/** An event log in the memory of this process. Its events are views of the buffers it holds. */
export class MemoryEventLog implements EventLog {
  readonly #clock: Clock;
  readonly #ledger: Ledger<Place>;
  #closed = false;

  /** An empty log. */
  constructor(clock: Clock, limits: EventLogLimits) {
    this.#clock = clock;
    this.#ledger = new Ledger(limits, keeper);
  }

  /** See `EventLog`. */
  get size(): EventLogSize {
    return this.#ledger.size;
  }

  /** See `EventLog`. */
  append(stream: string, events: readonly LoggedEvent[]): void {
    if (!this.#closed) this.#ledger.append(stream, events, this.#clock.monotonicMs());
  }

  /** See `EventLog`. */
  appendRun(stream: string, seq: number, bytes: Bytes, ends: readonly number[]): void {
    if (this.#closed || ends.length === 0) return this.append(stream, []);
    const kept = this.#ledger.appendRun(stream, seq, ends, this.#clock.monotonicMs(), (book) => {
      const buffer = bufferFor(book, bytes.length);
      const at = buffer.end;
      buffer.bytes.set(bytes, at - buffer.begin);
      buffer.end += bytes.length;
      return { buffer, at };
    });
    if (!kept) this.append(stream, eventsOfRun(seq, bytes, ends));
  }

  /** See `EventLog`. */
  after(stream: string, seq: number, maxBytes: number): Replay {
    if (this.#closed) return UNKNOWN;
    const found = this.#ledger.after(stream, seq, maxBytes, this.#clock.monotonicMs());
    const events: LoggedEvent[] = [];
    for (const { run, from, to } of found.parts) {
      for (let index = from; index < to; index++) {
        events.push({ seq: run.firstSeq + index, bytes: bytesOf(run, index) });
      }
    }
    return { events, gap: found.gap, more: found.more };
  }

  /** See `EventLog`. */
  forget(stream: string): void {
    this.#ledger.forget(stream);
  }

  /** See `EventLog`. */
  close(): void {
    this.#closed = true;
    this.#ledger.clear();
  }
}

function bytesOf(run: Run<Place>, index: number): Bytes {
  const { buffer, at } = run.payload;
  const offset = at - buffer.begin;
  return buffer.bytes.subarray(offset + beginOf(run, index), offset + run.ends[index]!);
}
