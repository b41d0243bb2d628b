/**
 * Session ids of the proxy's own, and which upstream session each stands for.
 *
 * May import `clock.ts`, `errors.ts` and `redis`; never `upstream` or `front`.
 *
 * @module
 */

export { type Session, SessionTable, type SessionTableOptions } from "./table.ts";
export type { SessionRecord, SessionState } from "./record.ts";
export { type SessionStore, SessionStoreError, type SessionStoreLimits } from "./store.ts";
export { SESSION_ID_BYTES, sessionId } from "./id.ts";
