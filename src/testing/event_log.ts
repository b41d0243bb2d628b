/**
 * Event logs as their tests use them.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import {
  EVENT_OVERHEAD_BYTES,
  type EventLog,
  type EventLogLimits,
  type LoggedEvent,
} from "../event_log/mod.ts";

/** The same log, given events whose numbers follow each other as a run. */
export function inRuns(log: EventLog): EventLog {
  const append = (stream: string, events: readonly LoggedEvent[]): void | Promise<void> => {
    const first = events[0]?.seq ?? 0;
    const isRun = events.length > 0 && events.every(({ seq }, at) => seq === first + at);
    if (!isRun) return log.append(stream, events);
    const ends: number[] = [];
    for (const { bytes } of events) ends.push((ends.at(-1) ?? 0) + bytes.length);
    const whole = new Uint8Array(ends.at(-1)!);
    events.forEach(({ bytes }, at) => whole.set(bytes, ends[at]! - bytes.length));
    const appended = log.appendRun(stream, first, whole, ends);
    whole.fill(0);
    return appended;
  };
  return {
    append,
    appendRun: log.appendRun.bind(log),
    after: log.after.bind(log),
    forget: log.forget.bind(log),
    close: log.close.bind(log),
    get size() {
      return log.size;
    },
  };
}

/** One event, as the model has it: everything in one list, everything by searching it. */
interface ModelEvent {
  readonly stream: string;
  readonly seq: number;
  readonly size: number;
  readonly atMs: number;
}

/** A log without any cleverness, for what others answer to be compared with. */
export class EventLogModel {
  events: ModelEvent[] = [];
  newest = new Map<string, number>();

  constructor(readonly clock: Clock, readonly limits: EventLogLimits) {}

  /** See `EventLog`; without the bytes. */
  append(stream: string, seqs: readonly (readonly [seq: number, size: number])[]) {
    this.expire();
    const last = this.newest.get(stream) ?? 0;
    this.newest.delete(stream);
    while (this.newest.size >= this.limits.maxStreams) this.forget([...this.newest.keys()][0]!);
    this.newest.set(stream, seqs.at(-1)?.[0] ?? last);
    const atMs = this.clock.monotonicMs();
    for (const [seq, bytes] of seqs) {
      const size = bytes + EVENT_OVERHEAD_BYTES;
      if (size <= this.limits.maxStreamBytes) this.events.push({ stream, seq, size, atMs });
    }
    this.trim((event) => event.stream === stream, "maxStreamEvents", "maxStreamBytes");
    this.trim(() => true, "maxEvents", "maxBytes");
  }

  trim(
    which: (event: ModelEvent) => boolean,
    most: "maxEvents" | "maxStreamEvents",
    mostBytes: "maxBytes" | "maxStreamBytes",
  ) {
    for (;;) {
      const some = this.events.filter(which);
      const bytes = some.reduce((sum, { size }) => sum + size, 0);
      if (some.length <= this.limits[most] && bytes <= this.limits[mostBytes]) return;
      this.events.splice(this.events.indexOf(some[0]!), 1);
    }
  }

  expire() {
    const now = this.clock.monotonicMs();
    this.events = this.events.filter(({ atMs }) => now - atMs < this.limits.maxAgeMs);
  }

  /** See `EventLog`: the numbers, whether there is a gap, and whether there is more. */
  after(stream: string, seq: number, maxBytes: number) {
    this.expire();
    const newest = this.newest.get(stream);
    if (newest === undefined || seq > newest) return [[], true, false];
    const found: number[] = [];
    let bytes = 0;
    let more = false;
    for (const event of this.events) {
      if (event.stream !== stream || event.seq <= seq) continue;
      bytes += event.size - EVENT_OVERHEAD_BYTES;
      more = found.length > 0 && bytes > maxBytes;
      if (more) break;
      found.push(event.seq);
    }
    const upTo = more ? found.at(-1)! : newest;
    let gap = false;
    for (let each = seq + 1; each <= upTo; each++) gap ||= !found.includes(each);
    return [found, gap, more];
  }

  /** See `EventLog`. */
  forget(stream: string) {
    this.newest.delete(stream);
    this.events = this.events.filter((event) => event.stream !== stream);
  }

  get size() {
    const bytes = this.events.reduce((sum, { size }) => sum + size, 0);
    return { streams: this.newest.size, events: this.events.length, bytes };
  }
}
