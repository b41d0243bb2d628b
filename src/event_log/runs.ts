/**
 * Runs of events: numbers that follow each other, and the bytes in one piece.
 *
 * @module
 */

import type { Bytes } from "../http/mod.ts";
import type { LoggedEvent } from "./log.ts";

/** Events whose numbers follow each other. */
export interface GivenRun {
  /** The number of the first one. */
  readonly seq: number;
  /** Where each ends among `bytes`. */
  readonly ends: readonly number[];
  /** The bytes of all of them. */
  readonly bytes: Bytes;
}

/** The events as runs, with bytes of their own. */
export function runsOf(events: readonly LoggedEvent[]): GivenRun[] {
  const runs: GivenRun[] = [];
  for (let from = 0; from < events.length;) {
    let to = from + 1;
    while (to < events.length && events[to]!.seq === events[to - 1]!.seq + 1) to++;
    runs.push(joined(events, from, to));
    from = to;
  }
  return runs;
}

function joined(events: readonly LoggedEvent[], from: number, to: number): GivenRun {
  const ends: number[] = [];
  for (let at = from; at < to; at++) ends.push((ends.at(-1) ?? 0) + events[at]!.bytes.length);
  const whole = new Uint8Array(ends.at(-1)!);
  for (let at = from; at < to; at++) {
    const { bytes } = events[at]!;
    whole.set(bytes, ends[at - from]! - bytes.length);
  }
  return { seq: events[from]!.seq, ends, bytes: whole };
}

/** What of some runs stands at the number `from` or behind it. */
export function runsFrom(runs: readonly GivenRun[], from: number): readonly GivenRun[] {
  if (runs.length === 0 || runs[0]!.seq >= from) return runs;
  const left: GivenRun[] = [];
  for (const run of runs) {
    const gone = Math.max(0, from - run.seq);
    if (gone >= run.ends.length) continue;
    left.push(gone === 0 ? run : behind(run, gone));
  }
  return left;
}

function behind({ seq, ends, bytes }: GivenRun, gone: number): GivenRun {
  const begin = ends[gone - 1]!;
  return {
    seq: seq + gone,
    ends: ends.slice(gone).map((end) => end - begin),
    bytes: bytes.subarray(begin),
  };
}

/** Of each run the number of its first event, how many there are, and their sizes; all in one line. */
export function headOf(runs: readonly GivenRun[]): string {
  let head = "";
  for (const { seq, ends } of runs) {
    head += `${seq} ${ends.length} `;
    for (let at = 0, begin = 0; at < ends.length; begin = ends[at++]!) {
      head += `${ends[at]! - begin} `;
    }
  }
  return head;
}

/** The bytes of all runs, in their order. */
export function bytesOf(runs: readonly GivenRun[]): Bytes {
  if (runs.length === 1) return runs[0]!.bytes;
  const whole = new Uint8Array(runs.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let end = 0;
  for (const { bytes } of runs) {
    whole.set(bytes, end);
    end += bytes.length;
  }
  return whole;
}
