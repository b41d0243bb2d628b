/**
 * Event logs as their tests use them.
 *
 * @module
 */

import type { EventLog, LoggedEvent } from "../event_log/mod.ts";

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
