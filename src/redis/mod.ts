/**
 * The connection to Redis or Valkey that stores share.
 *
 * May import nothing of the other rooms.
 *
 * @module
 */

export {
  connectRedis,
  type RedisConnection,
  RedisError,
  type RedisOptions,
  type RedisReply,
} from "./connection.ts";
