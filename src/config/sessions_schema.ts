/**
 * Settings of sessions: who may have them, how their ids are sealed, where they are kept.
 *
 * @module
 */

import { z } from "zod";
import { HEADER_NAME, HEADER_NAME_WANTED } from "./header_name.ts";
import { milliseconds } from "./numbers.ts";
import { oauthSchema } from "./oauth_schema.ts";

/** Shortest text of a key: 32 characters, enough for 128 random bits in hex. */
export const MIN_KEY_CHARACTERS = 32;

/** What the holder of an API key may be called. */
export const KEY_NAME = /^[A-Za-z0-9._@-]{1,64}$/;

/** The same in words. */
export const KEY_NAME_WANTED = "1 to 64 letters, digits, . _ @ or -";

const apiKeySchema = z.strictObject({
  name: z.string().regex(KEY_NAME, { error: KEY_NAME_WANTED }).describe(
    "Who holds the key: several keys with one name are one principal.",
  ),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, {
    error: "64 lower-case hex digits, as `switchyard new-key` prints them",
  }).describe("SHA-256 of the key, in hex. The key itself stands nowhere."),
}).describe("A key, by its hash.");

/** Schema of `auth`. */
export const authSchema = z.strictObject({
  header: z.string().regex(HEADER_NAME, { error: HEADER_NAME_WANTED }).optional().describe(
    "Header field that holds the key alone, such as x-api-key; left out, Authorization: Bearer KEY.",
  ),
  keys: z.array(apiKeySchema).max(1_000, { error: "at most 1000 keys" }).default([])
    .describe("Keys that callers may have; without any and without oauth, nobody is told apart."),
  oauth: oauthSchema.optional(),
}).describe("Who may call.");

/** Schema of `sessions`. */
export const sessionsSchema = z.strictObject({
  store: z.enum(["memory", "sqlite", "redis"], { error: "memory, sqlite or redis" })
    .default("memory").describe(
      "Where sessions are kept: in memory, in a file that a restart does not lose (sqlite), or in Redis, " +
        "which several instances share.",
    ),
  path: z.string().min(1, { error: "a file" }).optional().describe(
    "File of the store sqlite, for this proxy alone; left out, sessions.db in dataDir.",
  ),
  keys: z.array(
    z.string().min(MIN_KEY_CHARACTERS, { error: `at least ${MIN_KEY_CHARACTERS} characters` })
      .max(1_024, { error: "at most 1024 characters" }),
  ).max(16, { error: "at most 16 keys" }).default([]).describe(
    "Secrets that seal session ids: the first seals, all open. To change it, put the new one in front " +
      "and take the old one away when its sessions are over. Left out, one is made, and kept in dataDir " +
      "if there is one. Better in the variable SWITCHYARD_SESSION_KEYS, separated by commas.",
  ),
}).describe("How sessions are named and kept.");

/** Schema of `redis`. */
export const redisSchema = z.strictObject({
  url: z.string().regex(/^(rediss?|unix):\/\/\S+$/, {
    error: "a redis://, rediss:// or unix:// URL",
  }).describe(
    "Where Redis or Valkey is. Better in the variable SWITCHYARD_REDIS_URL with a password.",
  ),
  prefix: z.string().regex(/^[A-Za-z0-9:_-]{1,64}$/, {
    error: "1 to 64 letters, digits, : _ or -",
  }).default("switchyard").describe("What all keys and channels begin with."),
  timeoutMs: milliseconds(5_000).describe("Longest wait for Redis, in milliseconds."),
}).describe("Redis or Valkey, for the stores that say redis.");
