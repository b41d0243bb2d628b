/**
 * Session ids of the proxy's own, and which upstream session each stands for.
 *
 * May import `clock.ts` and `errors.ts`; never `upstream` or `front`.
 *
 * @module
 */

export { type Session, SessionTable, type SessionTableOptions } from "./table.ts";
export { SESSION_ID_BYTES, sessionId } from "./id.ts";
