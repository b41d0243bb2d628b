/**
 * Session ids of the proxy's own, which upstream session each stands for, and where that is kept.
 *
 * May import `clock.ts`, `errors.ts`, `http`, `redis` and `sqlite`; never `upstream` or `front`.
 *
 * @module
 */

export { notFound } from "./refusals.ts";
export { Session, type SessionNames, type SessionTraffic } from "./session.ts";
export { SessionTable } from "./table.ts";
export {
  type IdSealer,
  type NamedSession,
  type NewSession,
  type SessionTableLimits,
  type SessionTableOptions,
  storeIdleMs,
} from "./table_options.ts";
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
