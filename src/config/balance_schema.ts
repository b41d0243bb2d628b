/**
 * Settings of upstreams with several targets: which one a call goes to, and what becomes of those that fail.
 *
 * @module
 */

import { z } from "zod";
import { count, milliseconds } from "./numbers.ts";

/** A word, or the path of a page. */
const PROBE = /^(auto|off|ping|discover|\/[\x21-\x22\x24-\x7e]*)$/;

/** A whole number from 0, which switches off, to `most`. */
function countOrNever(fallback: number, most: number) {
  return z.int({ error: "a whole number" }).min(0, { error: "at least 0" })
    .max(most, { error: `at most ${most}` }).default(fallback);
}

/** Schema of one of `upstream.targets`, whose address `url` describes. */
export function targetSchema(url: z.ZodType<string>) {
  return z.strictObject({
    name: z.string().regex(/^[A-Za-z0-9_-]{1,32}$/, { error: "1 to 32 letters, digits, - or _" })
      .describe(
        "Name in logs, on the admin pages and, sealed, in session ids: sessions stay with their target as " +
          "long as it keeps its name.",
      ),
    url: url.describe("MCP endpoint of this server, as in upstream.url."),
    weight: count(1, 1_000)
      .describe("Its share: a target of weight 2 gets twice as much as one of weight 1."),
  }).describe("One of several servers that are the same to clients.");
}

/** Schema of `upstream.balance`. */
export const balanceSchema = z.strictObject({
  policy: z.enum(
    ["round-robin", "least-connections", "random-two", "hash-session", "hash-principal"],
    {
      error: "round-robin, least-connections, random-two, hash-session or hash-principal",
    },
  ).default("random-two").describe(
    "Which target gets a call that belongs to none: each in turn (round-robin), the one with the fewest " +
      "answers under way for its weight (least-connections), the better of two chosen by chance " +
      "(random-two), always the same for a session (hash-session) or for a caller (hash-principal; without auth " +
      "all callers are one, and have one target).",
  ),
  retries: countOrNever(2, 10).describe(
    "How many further targets a call is sent to where it cannot have run: nothing of it left, or it only " +
      "reads (lists, resources/read, prompts/get, server/discover, initialize, ping) and no answer began.",
  ),
  retryBudgetPercent: countOrNever(20, 100).describe(
    "Retries in percent of the calls of the last ten seconds, beside retryMinPerSecond; beyond it the " +
      "failure is told.",
  ),
  retryMinPerSecond: countOrNever(10, 100_000)
    .describe("Retries a second that are always allowed."),
}).describe("How calls are shared among the targets.");

/** Schema of `upstream.health`. */
export const healthSchema = z.strictObject({
  probe: z.string().regex(PROBE, {
    error: "auto, off, ping, discover, or a path such as /healthz",
  }).default("auto").describe(
    "What each target is asked at intervals: the MCP request ping, where any answer but a failure of the " +
      "server counts (over HTTP+SSE its stream is opened instead); server/discover, which has to succeed; " +
      "GET of a path, which has to be answered with 2xx; nothing (off). auto is ping where there are " +
      "several targets, and nothing for one.",
  ),
  intervalMs: milliseconds(5_000).describe(
    "Time between two probes of a target, in milliseconds, more or less a tenth; a fifth of it behind a " +
      "failed one. A call that fails has one made at once.",
  ),
  timeoutMs: milliseconds(2_000).describe("Longest wait for a probe's answer, in milliseconds."),
  unhealthyAfter: count(2, 1_000)
    .describe("So many failed probes in a row, and the target is down: its sessions leave it."),
  healthyAfter: count(2, 1_000)
    .describe("So many good probes in a row, and a target that was down comes back."),
  maxFailures: countOrNever(5, 100_000).describe(
    "So many calls in a row that failed at the server (no connection, no answer, 5xx), and the target is " +
      "ejected; 0 for never. What a client cancels does not count.",
  ),
  slowFactor: countOrNever(5, 1_000).describe(
    "A target whose median time to answer is so many times that of the others is ejected; 0 for never.",
  ),
  slowMinMs: milliseconds(500, 0)
    .describe("A median time to answer below this, in milliseconds, is never too slow."),
  ejectMs: milliseconds(5_000).describe(
    "How long a target is ejected the first time, in milliseconds; each further time in a row twice as " +
      "long. One target always stays.",
  ),
  maxEjectMs: milliseconds(300_000).describe("The longest ejection, in milliseconds."),
  slowStartMs: milliseconds(10_000, 0).describe(
    "The time in which a target that comes back grows to its full share, in milliseconds.",
  ),
  breakerTimeouts: countOrNever(5, 100_000).describe(
    "So many calls in a row that ran into a deadline of connecting or answering, and further ones are " +
      "answered with 503 at once, until a single one has succeeded; 0 for never.",
  ),
  breakerMs: milliseconds(1_000).describe(
    "How long nothing is tried then, in milliseconds; each further time twice as long, up to maxEjectMs.",
  ),
}).describe("How failing targets are noticed, left alone and taken back.");
