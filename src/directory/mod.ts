/**
 * Which instance holds which event stream, kept where the next instance or the next run finds it: in Redis,
 * for several instances, which also talk to each other there; in a file, for one that is started again.
 *
 * May import `clock.ts`, `redis`, `sqlite`, and types of `peers` and `relay`.
 *
 * @module
 */

export { RedisMessages, type RedisMessagesOptions } from "./redis_messages.ts";
export { RedisStreamDirectory, type RedisStreamDirectoryOptions } from "./redis.ts";
export {
  SqliteStreamDirectory,
  type SqliteStreamDirectoryLimits,
  StreamDirectoryError,
} from "./sqlite.ts";
