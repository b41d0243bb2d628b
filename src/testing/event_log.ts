/**
 * Event logs as their tests use them.
 *
 * @module
 */

import type { EventLog, LoggedEvent, Replay } from "../event_log/mod.ts";
import type { Bytes } from "../http/mod.ts";

/** Both logs answer at once, which spares the tests their awaits. */
export interface SyncLog extends EventLog {
  append(stream: string, events: readonly LoggedEvent[]): void;
  appendRun(stream: string, seq: number, bytes: Bytes, ends: readonly number[]): void;
  after(stream: string, seq: number, maxBytes: number): Replay;
  forget(stream: string): void;
  close(): void;
}

/** The same log, given events whose numbers follow each other as a run. */
export function inRuns(log: SyncLog): SyncLog {
  const append = (stream: string, events: readonly LoggedEvent[]): void => {
    const first = events[0]?.seq ?? 0;
    const isRun = events.length > 0 && events.every(({ seq }, at) => seq === first + at);
    if (!isRun) return log.append(stream, events);
    const ends: number[] = [];
    for (const { bytes } of events) ends.push((ends.at(-1) ?? 0) + bytes.length);
    const whole = new Uint8Array(ends.at(-1)!);
    events.forEach(({ bytes }, at) => whole.set(bytes, ends[at]! - bytes.length));
    log.appendRun(stream, first, whole, ends);
    whole.fill(0);
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
