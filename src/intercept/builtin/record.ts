/**
 * Writes messages to a file, one line of JSON each, with what looks like a secret taken out.
 *
 * For whole exchanges with their heads and times see `record` of the config.
 *
 * @module
 */

import { z } from "zod";
import { methodForLog } from "../../json/mod.ts";
import { stringifyMessage } from "../codec.ts";
import type { BuiltinDeps } from "../deps.ts";
import { kindOf } from "../message.ts";
import type { InterceptContext, Interceptor, JsonRpcMessage } from "../types.ts";
import { redactOptions, redactor } from "./redact.ts";

/** Options of `record`. */
export const recordOptions = z.strictObject({
  file: z.string().min(1, { error: "a file" }).describe(
    "File to which the lines are added; needs the permission to write there (--allow-write).",
  ),
  maxMessageCharacters: z.int({ error: "a whole number" }).min(1, { error: "at least 1" })
    .max(16_777_216, { error: "at most 16777216" }).default(65_536)
    .describe("Of a longer message only its length is written."),
  maxTotalCharacters: z.int({ error: "a whole number" }).min(1, { error: "at least 1" })
    .max(1_073_741_824, { error: "at most 1073741824" }).default(16_777_216)
    .describe("Then recording ends and the traffic goes on."),
  redactKeys: z.array(z.string().min(1, { error: "the name of a member" })).default([])
    .describe("Members to take out beside those that look like secrets, in any case of letters."),
  redactPatterns: redactOptions.shape.patterns.describe(
    "Regular expressions for texts to take out beside tokens.",
  ),
});

/** Options of `record`, filled in. */
export type RecordOptions = z.output<typeof recordOptions>;

/** Members that hold secrets. */
const SECRET_KEYS = [
  "access_token",
  "accessToken",
  "api_key",
  "apiKey",
  "api-key",
  "authorization",
  "client_secret",
  "clientSecret",
  "cookie",
  "credential",
  "credentials",
  "id_token",
  "idToken",
  "passphrase",
  "passwd",
  "password",
  "private_key",
  "privateKey",
  "refresh_token",
  "refreshToken",
  "secret",
  "token",
];

/** Bearer tokens, JSON Web Tokens, API keys of this proxy, and members of JSON inside of texts. */
const SECRET_PATTERNS = [
  "(?i:\\bBearer\\s{1,8}[A-Za-z0-9._~+\\/=\\-]{8,})",
  "\\beyJ[A-Za-z0-9_\\-]{8,}\\.[A-Za-z0-9_\\-]*(?:\\.[A-Za-z0-9_\\-]*)?",
  "\\bsy_[A-Za-z0-9_\\-]{43}(?![A-Za-z0-9_\\-])",
  `(?i:"(?:${SECRET_KEYS.join("|")})"\\s{0,8}:\\s{0,8}"(?:[^"\\\\]|\\\\.)*")`,
];

/** An interceptor that writes what passes, as it is where this interceptor stands in the order. */
export function createRecord(options: RecordOptions, deps: BuiltinDeps): Interceptor {
  const lines = deps.openLines(options.file, deps.log);
  const redact = redactor(redactOptions.parse({
    keys: [...SECRET_KEYS, ...options.redactKeys],
    patterns: [...SECRET_PATTERNS, ...options.redactPatterns],
  }));
  let left = options.maxTotalCharacters;
  const write = (from: "client" | "server") => (message: JsonRpcMessage, ctx: InterceptContext) => {
    if (left <= 0) return;
    const line = lineOf(from, message, ctx, deps.clock.now(), options, redact);
    left -= line.length + 1;
    if (left >= 0) return lines.write(line);
    left = 0;
    deps.log.warn("the record interceptor has reached maxTotalCharacters", { file: options.file });
  };
  return {
    name: "record",
    clientMessage: write("client"),
    serverMessage: write("server"),
    close: () => lines.close(),
  };
}

function lineOf(
  from: "client" | "server",
  message: JsonRpcMessage,
  ctx: InterceptContext,
  time: Date,
  options: RecordOptions,
  redact: (message: JsonRpcMessage) => JsonRpcMessage,
): string {
  const head = JSON.stringify({
    time: time.toISOString(),
    route: ctx.route,
    era: ctx.era,
    from,
    kind: kindOf(message),
    method: methodForLog(Object.hasOwn(message, "method") ? message.method : ctx.method),
  });
  const text = stringifyMessage(redact(message));
  const body = text.length > options.maxMessageCharacters
    ? `"characters":${text.length}`
    : `"message":${text}`;
  return `${head.slice(0, -1)},${body}}`;
}
