/**
 * Events of streams, kept for clients that come back: ids, limits, a log in memory, one in
 * a file, and one in Redis.
 *
 * May import `clock.ts`, `errors.ts`, `http` and `redis`.
 *
 * @module
 */

export type { EventLog, EventLogLimits, EventLogSize, LoggedEvent, Replay } from "./log.ts";
export { EVENT_OVERHEAD_BYTES } from "./ledger.ts";
export { type EventId, eventId, newStreamId, parseEventId, STREAM_ID_BYTES } from "./ids.ts";
export { MemoryEventLog } from "./memory.ts";
export { SqliteEventLog } from "./sqlite.ts";
export { RedisEventLog } from "./redis.ts";
export { EventLogError } from "./error.ts";
export { eventsOfRun } from "./log.ts";
export { watchedLog } from "./watched.ts";
