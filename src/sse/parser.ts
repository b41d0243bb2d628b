/**
 * Reading an event stream, bytes in and events out. Pure.
 *
 * Source: WHATWG HTML 9.2.5 and 9.2.6, but for what is left out of the events there: a relay passes
 * on blocks without data too.
 *
 * @module
 */

import { BlockReader } from "./block.ts";
import { EventTooLargeError, type SseEvent } from "./event.ts";
import { KeptBytes } from "./kept_bytes.ts";
import { CR, LF, LineFinder } from "./lines.ts";

/** U+FEFF in UTF-8, taken away at the start of a stream (R36). */
const BOM = new Uint8Array([0xef, 0xbb, 0xbf]);

/** What a parser may hold. */
export interface ParserLimits {
  /** The longest event: all its lines with their ends, as they came, without the blank line. */
  readonly maxEventBytes: number;
  /** ASCII text to watch for, see `marked`. */
  readonly marker?: string | undefined;
}

/**
 * Parses one stream from pieces of any size, in time linear in its length.
 *
 * Between pieces it holds the lines of one block, so at most `maxEventBytes`; growing takes up to as
 * much again for a moment.
 *
 * @example
 * ```ts
 * import { EventParser } from "./mod.ts";
 *
 * const parser = new EventParser({ maxEventBytes: 1_048_576 });
 * const [event] = parser.feed(new TextEncoder().encode("id: 7\ndata: {}\n\n"));
 * console.assert(event?.id === "7" && event.data?.length === 2);
 * ```
 */
export class EventParser {
  readonly #maxEventBytes: number;
  readonly #marker: string | undefined;
  readonly #kept: KeptBytes;
  readonly #block = new BlockReader();
  /** How much of a BOM the stream began with; all of its length once that is settled. */
  #bomBytes = 0;
  /** Whether what is kept ends with a line end. */
  #lineIsEmpty = true;
  /** Whether the last byte was a CR, whose LF may still come (R35). */
  #endedByCr = false;
  #failed = false;
  #workBytes = 0;
  #marked = false;

  /** A parser for one stream, from its first byte on. */
  constructor(limits: ParserLimits) {
    this.#maxEventBytes = limits.maxEventBytes;
    this.#marker = limits.marker;
    this.#kept = new KeptBytes(limits.maxEventBytes);
  }

  /** Whether the stream would break off inside of an event if it ended here (R41). */
  get midEvent(): boolean {
    return this.#kept.length > 0 || (this.#bomBytes > 0 && this.#bomBytes < BOM.length);
  }

  /**
   * Whether data of the last piece's events may have a line break in it. Mostly none has, and who writes
   * them on need not look.
   */
  get multiline(): boolean {
    return this.#block.isMultiline;
  }

  /** Whether the marker stands somewhere in the last piece, or in what it completed. */
  get marked(): boolean {
    return this.#marked;
  }

  /** How many bytes were looked at or copied so far; tests hold this against the length (R43). */
  get workBytes(): number {
    return this.#workBytes + this.#kept.copiedBytes + this.#block.movedBytes;
  }

  /** How many bytes are allocated for a block whose end has not come (R42). */
  get keptBytes(): number {
    return this.#kept.capacity;
  }

  /**
   * The events that these bytes complete. Every block with a line in it is one, also of comments, of
   * `retry` or of unknown fields alone.
   *
   * The bytes may be used anew afterwards: data stands in a copy, one for all events of a piece. Who
   * stores the data of an event for long copies it once more, or the whole piece stays in memory.
   *
   * @throws {EventTooLargeError} where an event is longer than `maxEventBytes`, and ever after.
   */
  feed(bytes: Uint8Array): readonly SseEvent[] {
    const events: SseEvent[] = [];
    this.#block.isMultiline = false;
    this.#marked = false;
    if (this.#failed) throw new EventTooLargeError(this.#maxEventBytes, events);
    if (bytes.length === 0) return events;
    let at = 0;
    if (this.#endedByCr && bytes[0] === LF) {
      at = 1;
      // Counted with its line, as if the two had come together.
      if (this.#kept.length > 0) this.#keep(bytes, 0, 1, events);
    }
    if (this.#bomBytes < BOM.length) at = this.#skipBom(bytes, events);
    if (this.#kept.length > 0) at = this.#endKept(bytes, at, events);
    if (at < bytes.length) this.#readBlocks(bytes, at, events);
    this.#endedByCr = bytes[bytes.length - 1] === CR;
    return events;
  }

  /** Where the stream goes on behind the BOM, if it has one. */
  #skipBom(bytes: Uint8Array, events: readonly SseEvent[]): number {
    let at = 0;
    while (at < bytes.length && this.#bomBytes < BOM.length) {
      if (bytes[at] !== BOM[this.#bomBytes]) {
        const text = this.#bomBytes;
        this.#bomBytes = BOM.length;
        if (text > at) {
          // What was held back of earlier pieces begins a line after all.
          this.#keep(BOM, 0, text - at, events);
          this.#lineIsEmpty = false;
        }
        return 0;
      }
      at++;
      this.#bomBytes++;
    }
    return at;
  }

  /** Looks for the end of the block that is kept, and reads it; returns where the rest begins. */
  #endKept(bytes: Uint8Array, from: number, events: SseEvent[]): number {
    const lines = new LineFinder(bytes);
    let at = from;
    let end = lines.endOfLine(at);
    while (end < bytes.length && (end > at || !this.#lineIsEmpty)) {
      this.#lineIsEmpty = true;
      at = lines.nextLine(end);
      end = lines.endOfLine(at);
    }
    this.#workBytes += lines.examinedBytes;
    if (end >= bytes.length) {
      if (at < bytes.length) this.#lineIsEmpty = false;
      this.#keep(bytes, from, bytes.length, events);
      return bytes.length;
    }
    this.#keep(bytes, from, at, events);
    this.#readKept(events);
    return lines.nextLine(end);
  }

  #readKept(events: SseEvent[]): void {
    const block = this.#kept.take();
    const lines = new LineFinder(block);
    this.#watch(lines);
    for (let at = 0; at < block.length;) {
      const end = lines.endOfLine(at);
      this.#block.line(block, at, end);
      at = lines.nextLine(end);
    }
    this.#workBytes += lines.examinedBytes;
    events.push(this.#block.finish(block));
  }

  /** Reads the blocks from a place where one begins, and keeps what is left of the last. */
  #readBlocks(bytes: Uint8Array, from: number, events: SseEvent[]): void {
    const own = new Uint8Array(bytes.length - from);
    own.set(from === 0 ? bytes : bytes.subarray(from));
    const lines = new LineFinder(own);
    this.#watch(lines);
    let blockStart = 0;
    let at = 0;
    for (let end = lines.endOfLine(0); end < own.length; end = lines.endOfLine(at)) {
      const next = lines.nextLine(end);
      if (end > at) {
        this.#block.line(own, at, end);
      } else {
        if (at - blockStart > this.#maxEventBytes) this.#fail(events);
        if (at > blockStart) events.push(this.#block.finish(own));
        blockStart = next;
      }
      at = next;
    }
    this.#workBytes += own.length + lines.examinedBytes;
    this.#block.reset();
    if (blockStart >= own.length) return;
    this.#lineIsEmpty = at >= own.length;
    // Out of the original: in the copy lines of data may have moved.
    this.#keep(bytes, from + blockStart, bytes.length, events);
  }

  #watch(lines: LineFinder): void {
    if (this.#marker !== undefined && lines.contains(this.#marker)) this.#marked = true;
  }

  #keep(bytes: Uint8Array, start: number, end: number, events: readonly SseEvent[]): void {
    if (!this.#kept.append(bytes, start, end)) this.#fail(events);
  }

  #fail(events: readonly SseEvent[]): never {
    this.#failed = true;
    this.#kept.take();
    throw new EventTooLargeError(this.#maxEventBytes, events);
  }
}
