/**
 * A table of sessions in memory, with ids that a test can read.
 *
 * @module
 */

import {
  MemorySessionStore,
  type NewSession,
  type Session,
  type SessionRecord,
  SessionTable,
} from "../session/mod.ts";
import { STORE_LIMITS, StoreClock } from "./session_stores.ts";

/** A table, its store and its clock. */
export function sessionTable() {
  const clock = new StoreClock();
  const store = new MemorySessionStore(clock, STORE_LIMITS);
  let made = 0;
  const sessions = new SessionTable({
    clock,
    store,
    ids: {
      mint: () => ({ id: `id-${++made}`, key: `key-${made}` }),
      open: () => undefined,
    },
    limits: {
      maxSessions: 100,
      maxSessionsPerPrincipal: 100,
      sessionIdleTimeoutMs: STORE_LIMITS.idleTimeoutMs,
      sessionLifetimeMs: STORE_LIMITS.lifetimeMs,
      sessionEvictIdleMs: 1_000,
    },
  });
  return {
    clock,
    store,
    sessions,
    /** A session with more in its record. */
    async open(more: Partial<SessionRecord> = {}): Promise<Session> {
      const begun: NewSession = { route: "r", principal: "p", upstreamId: "old" };
      const session = await sessions.open(begun);
      await sessions.change(session, (record) => ({ ...record, ...more }));
      return session;
    },
    [Symbol.dispose]: () => sessions.stop(),
  };
}
