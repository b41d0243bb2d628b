/**
 * Events as a session's client gets them: numbered, with ids of the proxy's. Pure.
 *
 * @module
 */

import { eventId, type LoggedEvent } from "../event_log/mod.ts";
import type { Bytes } from "../http/mod.ts";
import { encodeEvent, type OutEvent } from "../sse/mod.ts";

/** An event on its way to a client, with whatever id the upstream gave it. */
export type Outgoing = OutEvent;

const LF = 0x0a;
const CR = 0x0d;
const DIGIT_9 = 0x39;
const ENCODER = new TextEncoder();
const DATA = ENCODER.encode("data: ");

/** Shared, since every stream would otherwise hold small arrays of its own. */
const NONE: Bytes = new Uint8Array();
const NINE = new Uint8Array([DIGIT_9]);

/** Room for what an event has beside its data and its name: id, number, field names, line ends. */
const BESIDE_BYTES = 80;

/** Fewer bytes than this are copied one by one, because a native copy takes longer to call. */
const FEW_BYTES = 40;

/** Events as they are written. */
export class Framed {
  /** All of them in one piece. */
  readonly bytes: Bytes;
  /** The number of the last one. */
  readonly seq: number;
  /** Where each ends; for those that have no number, where the one before it ends. */
  readonly ends: readonly number[];
  /** Whether all have a number. */
  readonly isRun: boolean;
  readonly #parts: readonly (readonly [number, number])[];

  /** Events that end at `ends`, of which those at `parts` have a number. */
  constructor(
    bytes: Bytes,
    seq: number,
    ends: readonly number[],
    parts: readonly (readonly [number, number])[] | undefined,
  ) {
    this.bytes = bytes;
    this.seq = seq;
    this.ends = ends;
    this.isRun = parts === undefined;
    this.#parts = parts ?? [];
  }

  /** Those that have a number, each a part of `bytes`. */
  get logged(): readonly LoggedEvent[] {
    const { bytes, ends } = this;
    const parts = this.isRun
      ? ends.map((end, at) => [at === 0 ? 0 : ends[at - 1]!, end] as const)
      : this.#parts;
    const first = this.seq - parts.length + 1;
    return parts.map(([from, to], at) => ({ seq: first + at, bytes: bytes.subarray(from, to) }));
  }
}

/** Numbers events from `seq` on; see `Framer`. */
export function framed(stream: string, seq: number, events: readonly Outgoing[]): Framed {
  return new Framer(stream).frame(seq, events);
}

/**
 * Writes the events of one stream.
 *
 * What is only a comment or only a `retry` is written without a number: there is nothing in it to come
 * back to. The order of fields is that of `encodeEvents`, which writes what is rare; most events are
 * data in one line, and are written here, because relaying a fast stream is mostly this.
 */
export class Framer {
  readonly #stream: string;
  readonly #id: Uint8Array;
  #name = "";
  #nameLine: Uint8Array = NONE;
  #buffer: Bytes = NONE;
  #length = 0;
  #lastNumber = -1;
  #lastDigits: Uint8Array = NINE;

  /** A writer for the stream of this name. */
  constructor(stream: string) {
    this.#stream = stream;
    this.#id = ENCODER.encode(`id: ${eventId(stream, 0).slice(0, -1)}`);
  }

  /**
   * Writes events, numbered from `seq` on: the first is `seq + 1`.
   *
   * @param oneLine whether no data in bytes has a line break: to look for one takes as long as to write it
   */
  frame(seq: number, events: readonly Outgoing[], oneLine = false): Framed {
    this.#begin(events);
    const ends = new Array<number>(events.length);
    let parts: [number, number][] | undefined;
    let last = seq;
    for (let at = 0; at < events.length; at++) {
      const event = events[at]!;
      const from = this.#length;
      if (isNumbered(event)) {
        this.#write(event, ++last, oneLine);
        parts?.push([from, this.#length]);
      } else {
        // The first one without a number: those before it are parts of their own from here on.
        parts ??= ends.slice(0, at).map((end, one) => [one === 0 ? 0 : ends[one - 1]!, end]);
        this.#put(encodeEvent({ ...event, id: undefined }));
      }
      ends[at] = this.#length;
    }
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#buffer = NONE;
    return new Framed(bytes, last, ends, parts);
  }

  #begin(events: readonly Outgoing[]): void {
    let capacity = 0;
    for (const { data, event } of events) {
      capacity += BESIDE_BYTES + (data?.length ?? 0) + (event?.length ?? 0);
    }
    this.#buffer = new Uint8Array(capacity);
    this.#length = 0;
  }

  #write(event: Outgoing, number: number, oneLine: boolean): void {
    const { data, event: name, comments, retry } = event;
    const isPlain = typeof data === "object" && retry === undefined &&
      (comments === undefined || comments.length === 0) && (oneLine || !hasLineBreak(data));
    if (!isPlain) {
      return this.#put(encodeEvent({ ...event, id: eventId(this.#stream, number) }));
    }
    if (name !== undefined) this.#put(this.#lineOf(name));
    this.#reserve(BESIDE_BYTES + data.length);
    this.#put(this.#id);
    this.#digits(number);
    this.#buffer[this.#length++] = LF;
    this.#put(DATA);
    this.#put(data);
    this.#buffer[this.#length++] = LF;
    this.#buffer[this.#length++] = LF;
  }

  /** The line with the event's name: in most streams all have the same. */
  #lineOf(name: string): Uint8Array {
    if (name === this.#name && this.#nameLine.length > 0) return this.#nameLine;
    // Without the blank line behind it; what has a line break throws here.
    this.#nameLine = encodeEvent({ event: name }).slice(0, -1);
    this.#name = name;
    return this.#nameLine;
  }

  /** Writes a number; the next one of a sequence mostly differs in its last digit alone. */
  #digits(number: number): void {
    const digits = this.#lastDigits;
    let at = digits.length - 1;
    if (number !== this.#lastNumber + 1 || digits[at] === DIGIT_9) {
      this.#lastDigits = digitsOf(number);
    } else {
      digits[at]!++;
    }
    this.#lastNumber = number;
    const { length } = this.#lastDigits;
    for (at = 0; at < length; at++) this.#buffer[this.#length++] = this.#lastDigits[at]!;
  }

  #put(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(length);
    const buffer = this.#buffer;
    const start = this.#length;
    if (length < FEW_BYTES) {
      for (let at = 0; at < length; at++) buffer[start + at] = bytes[at]!;
    } else {
      buffer.set(bytes, start);
    }
    this.#length = start + length;
  }

  #reserve(length: number): void {
    const wanted = this.#length + length;
    if (wanted <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(wanted, 2 * this.#buffer.length));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}

/** A number as ASCII; a loop, because a call of the encoder takes longer. */
function digitsOf(number: number): Uint8Array {
  const text = `${number}`;
  const digits = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) digits[at] = text.charCodeAt(at);
  return digits;
}

function hasLineBreak(data: Uint8Array): boolean {
  return data.indexOf(LF) !== -1 || data.indexOf(CR) !== -1;
}

/** Whether an event gets a number. */
export function isNumbered({ data, id, event }: Outgoing): boolean {
  return data !== undefined || id !== undefined || event !== undefined;
}
