/**
 * What becomes of a session that an instance gives up: it goes on at another one, or is dropped and told to
 * be abandoned, once, however many instances give it up.
 *
 * @module
 */

import type { SessionRecord } from "./record.ts";
import type { Session } from "./session.ts";
import { then } from "./store_calls.ts";
import type { SessionTableOptions } from "./table_options.ts";

/**
 * Drops a session that is not held here any more from the store, unless it goes on.
 *
 * @param isBack whether its client came back to this instance while the store was asked
 * @throws what the store does, at once or later
 */
export function abandon(
  options: SessionTableOptions,
  session: Session,
  isBack: () => boolean,
): void | Promise<void> {
  const { store, onAbandoned } = options;
  const { key } = session;
  return then(store.load(key), (record) => {
    if (isBack() || goesOnElsewhere(options, session, record)) return;
    // Its upstream session may have been made anew by another instance.
    if (record !== undefined) session.record = record;
    return then(store.delete(key), (wasThere) => {
      // What was there, and is not any more, another instance has abandoned.
      if (wasThere || record === undefined) onAbandoned?.(session);
    });
  });
}

/** Whether another instance has used a session since this one has told the store, or has ended it. */
function goesOnElsewhere(
  { clock, limits }: SessionTableOptions,
  session: Session,
  record: SessionRecord | undefined,
): boolean {
  // Who has changed a session last sees to its end, and this instance was not it.
  if (record === undefined) return session.stale;
  const nowMs = clock.now().getTime();
  return record.lastUsedMs > session.toldLastUsedMs &&
    nowMs - record.lastUsedMs < limits.sessionIdleTimeoutMs;
}
