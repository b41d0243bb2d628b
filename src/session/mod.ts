/**
 * Session ids of the proxy's own, which upstream session each stands for, and where that is kept.
 *
 * May import `clock.ts`, `errors.ts`, `redis` and `sqlite`; never `upstream` or `front`.
 *
 * @module
 */

export { type Session, SessionTable, type SessionTableOptions } from "./table.ts";
export type { SessionRecord, SessionState } from "./record.ts";
export {
  expiryMs,
  type SessionStore,
  SessionStoreError,
  type SessionStoreLimits,
  SWEEP_RECORDS,
} from "./store.ts";
export { MemorySessionStore } from "./memory_store.ts";
export { SqliteSessionStore } from "./sqlite_store.ts";
export { RedisSessionStore } from "./redis_store.ts";
export { SESSION_ID_BYTES, sessionId } from "./id.ts";
