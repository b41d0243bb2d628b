/**
 * One stream in the books of an event log: its runs, and which of their events answer a question. Pure.
 *
 * Events that were appended together make a run, whose numbers have no hole.
 *
 * @module
 */

import type { Queue } from "./queue.ts";

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
  /** Its neighbours in a `RunLine`. */
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

/** A run of a stream that stands nowhere yet. */
export function newRun<P>(
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

/** Where the event at `index` begins among the bytes of the run. */
export function beginOf<P>(run: Run<P>, index: number): number {
  return index === 0 ? run.begin : run.ends[index - 1]!;
}

/** The number of the last event of a run, held or not. */
export function lastSeq<P>(run: Run<P>): number {
  return run.firstSeq + run.ends.length - 1;
}

/** Cuts off the entries of events that are gone: they would be held as long as one event of the run is. */
export function cutGone<P>(run: Run<P>): void {
  run.begin = beginOf(run, run.gone);
  run.ends = run.ends.slice(run.gone);
  run.firstSeq += run.gone;
  run.gone = 0;
}

/**
 * Which events of a stream stand behind `seq`, which it has had: as many as fit in `maxBytes`, and one in any
 * case.
 */
export function eventsAfter<P>(stream: StreamBook<P>, seq: number, maxBytes: number): Found<P> {
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

/** The place of the first run that holds an event behind `seq`. */
function firstBehind<P>(runs: Queue<Run<P>>, seq: number): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lastSeq(runs.at(middle)!) > seq) high = middle;
    else low = middle + 1;
  }
  return low;
}
