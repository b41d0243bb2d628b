/**
 * Session ids of the proxy's own, and which upstream session each stands for.
 *
 * May import `clock.ts`, `errors.ts` and `redis`; never `upstream` or `front`.
 *
 * @module
 */

export { Session, type SessionTraffic } from "./session.ts";
export {
  type IdSealer,
  type NamedSession,
  type NewSession,
  SessionTable,
  type SessionTableLimits,
  type SessionTableOptions,
  storeIdleMs,
} from "./table.ts";
export type { SessionRecord, SessionState } from "./record.ts";
export { type SessionStore, SessionStoreError, type SessionStoreLimits } from "./store.ts";
export { SESSION_ID_BYTES, sessionId } from "./id.ts";
export { KEY_FILE, loadOrMakeSecret } from "./key_file.ts";
export {
  MAX_BINDING_CHARACTERS,
  MAX_PAYLOAD_BYTES,
  MAX_SEAL_KEYS,
  MAX_TOKEN_CHARACTERS,
  Sealer,
} from "./seal.ts";
export {
  deriveKey,
  makeSecret,
  MAX_SECRET_CHARACTERS,
  MIN_SECRET_CHARACTERS,
  type SealKey,
  SealKeyError,
} from "./seal_key.ts";
export {
  MAX_ROUTE_BYTES,
  MAX_UPSTREAM_ID_BYTES,
  type MintedId,
  type OpenedId,
  type SessionIdParts,
  SessionIds,
} from "./session_ids.ts";
