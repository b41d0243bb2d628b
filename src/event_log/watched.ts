/**
 * An event log whose failures are told: streams go on without it, and what it could not take is a gap.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { EventLog } from "./log.ts";

/** At most one failure in this time is told, with the number of those in between. */
const TELL_EVERY_MS = 60_000;

/** The same log; `tell` hears of what its methods throw or reject with, now and then. */
export function watchedLog(
  log: EventLog,
  clock: Clock,
  tell: (error: unknown, failures: number) => void,
): EventLog {
  let failures = 0;
  let toldMs = -Infinity;
  const note = (error: unknown): never => {
    failures++;
    const nowMs = clock.monotonicMs();
    if (nowMs - toldMs >= TELL_EVERY_MS) {
      tell(error, failures);
      toldMs = nowMs;
      failures = 0;
    }
    throw error;
  };
  const watched = <T>(act: () => T | Promise<T>): T | Promise<T> => {
    try {
      const done = act();
      return done instanceof Promise ? done.catch(note) : done;
    } catch (error) {
      return note(error);
    }
  };
  return {
    get size() {
      return log.size;
    },
    append: (stream, events) => watched(() => log.append(stream, events)),
    appendRun: (stream, seq, bytes, ends) => watched(() => log.appendRun(stream, seq, bytes, ends)),
    after: (stream, seq, maxBytes) => watched(() => log.after(stream, seq, maxBytes)),
    ...(log.rewind && { rewind: (stream, seq) => watched(() => log.rewind!(stream, seq)) }),
    forget: (stream) => watched(() => log.forget(stream)),
    close: () => log.close(),
  };
}
