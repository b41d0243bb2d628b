/**
 * Limits how often clients may ask, by token buckets. What is refused has not reached the server, so
 * it may be sent again.
 *
 * @module
 */

import { z } from "zod";
import type { Clock } from "../../clock.ts";
import { ERROR_TABLE } from "../../errors.ts";
import { matchesAny } from "../glob.ts";
import { kindOf } from "../message.ts";
import { paramsOf } from "../shape.ts";
import type { InterceptContext, Interceptor, JsonRpcMessage } from "../types.ts";

const globs = z.array(z.string().min(1, { error: "a name, with * for any characters" }));

/** Options of `rate_limit`. */
export const rateLimitOptions = z.strictObject({
  burst: z.int({ error: "a whole number" }).min(1, { error: "at least 1" })
    .max(1_000_000, { error: "at most 1000000" })
    .describe("Requests that may come at once."),
  perSecond: z.number({ error: "a number" }).positive({ error: "more than 0" })
    .max(1_000_000, { error: "at most 1000000" })
    .describe("Requests that may come each second after that; 0.1 is one in ten seconds."),
  by: z.enum(["session", "principal", "route"], { error: "session, principal or route" })
    .default("principal").describe(
      "Who shares a limit: each session for itself (each caller, where there are no sessions), each " +
        "caller, or all together.",
    ),
  methods: globs.default(["*"]).describe("Methods that count; * stands for any characters."),
  tools: globs.optional().describe("Counts only calls of these tools; all of them if left out."),
  maxBuckets: z.int({ error: "a whole number" }).min(1, { error: "at least 1" })
    .max(10_000_000, { error: "at most 10000000" }).default(10_000)
    .describe("Sessions or callers that are counted apart; further ones share one limit."),
});

/** Options of `rate_limit`, filled in. */
export type RateLimitOptions = z.output<typeof rateLimitOptions>;

/** An interceptor that limits the rate of requests. */
export function createRateLimit(options: RateLimitOptions, deps: { clock: Clock }): Interceptor {
  const buckets = new Buckets(options, deps.clock);
  return {
    name: "rate_limit",
    clientMessage(message, context) {
      if (!counts(message, options)) return;
      const waitMs = buckets.take(keyOf(context, options.by));
      if (waitMs === 0) return;
      return {
        answer: {
          error: {
            code: ERROR_TABLE.rate_limited.code,
            message: `Too many requests; send this one again in ${waitMs} ms.`,
            data: { retryAfterMs: waitMs },
          },
        },
      };
    },
  };
}

function counts(message: JsonRpcMessage, { methods, tools }: RateLimitOptions): boolean {
  if (kindOf(message) !== "request" || typeof message.method !== "string") return false;
  if (!matchesAny(methods, message.method)) return false;
  if (tools === undefined) return true;
  const { name } = paramsOf(message);
  return message.method === "tools/call" && typeof name === "string" && matchesAny(tools, name);
}

function keyOf(context: InterceptContext, by: RateLimitOptions["by"]): string {
  if (by === "route") return "";
  if (by === "session" && context.sessionId !== undefined) return `session ${context.sessionId}`;
  return `principal ${tellingPart(context.principal)}`;
}

/**
 * What tells a caller from others: of a caller with a token the hash behind the last `#`, since ahead of it may stand
 * a claim, which its holder may be free to change. The name of a key has no `#`, and is taken whole.
 */
function tellingPart(principal: string): string {
  return principal.slice(Math.max(0, principal.lastIndexOf("#")));
}

/** What sums of fractions may lack: whoever waits as told must not be refused again for it. */
const ROUNDING = 1e-6;

interface Bucket {
  tokens: number;
  atMs: number;
}

/** The bucket of whoever has no room in the table; no other key looks like it. */
const OVERFLOW = "overflow";

/** Token buckets by key, at most so many; the order of the map is the order of last use. */
class Buckets {
  readonly #buckets = new Map<string, Bucket>();
  readonly #options: RateLimitOptions;
  readonly #clock: Clock;

  constructor(options: RateLimitOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Takes a token; 0, or after how many milliseconds there is one. */
  take(key: string): number {
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#find(key, nowMs);
    this.#refill(bucket, nowMs);
    if (bucket.tokens >= 1 - ROUNDING) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - bucket.tokens) / this.#options.perSecond * 1000));
  }

  #find(key: string, nowMs: number): Bucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) {
      this.#buckets.delete(key);
      this.#buckets.set(key, known);
      return known;
    }
    if (key !== OVERFLOW && this.#buckets.size >= this.#options.maxBuckets) {
      if (!this.#dropOldest(nowMs)) return this.#find(OVERFLOW, nowMs);
    }
    const bucket = { tokens: this.#options.burst, atMs: nowMs };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  /** Only a full bucket may be forgotten: a new one would be as full, so nobody gains by it. */
  #dropOldest(nowMs: number): boolean {
    for (const [key, bucket] of this.#buckets) {
      this.#refill(bucket, nowMs);
      if (bucket.tokens < this.#options.burst) return false;
      this.#buckets.delete(key);
      return true;
    }
    return false;
  }

  #refill(bucket: Bucket, nowMs: number): void {
    const { burst, perSecond } = this.#options;
    bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) / 1000 * perSecond);
    bucket.atMs = nowMs;
  }
}
