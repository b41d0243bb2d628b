/**
 * The connection to Redis or Valkey that stores share.
 *
 * May import `clock.ts` and `deadlines.ts`.
 *
 * @module
 */

export {
  connectRedis,
  MAX_PENDING_COMMANDS,
  type RedisConnection,
  type RedisOptions,
  type RedisReply,
} from "./connection.ts";
export { RedisError } from "./error.ts";
