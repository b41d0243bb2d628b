/**
 * The interceptors that come with the proxy, by the name they have in the config.
 *
 * @module
 */

import type { z } from "zod";
import { accessOptions, createAccess } from "./builtin/access.ts";
import { createLog, logOptions } from "./builtin/log.ts";
import { createRateLimit, rateLimitOptions } from "./builtin/rate_limit.ts";
import { createRecord, recordOptions } from "./builtin/record.ts";
import { createRedact, redactOptions } from "./builtin/redact.ts";
import { createRewrite, rewriteOptions } from "./builtin/rewrite.ts";
import type { BuiltinDeps } from "./deps.ts";
import type { Interceptor } from "./types.ts";

/**
 * A built-in interceptor: what it is for, its options, and how it is made of them; they are checked
 * once more.
 */
function builtin<S extends z.ZodType>(
  description: string,
  schema: S,
  create: (options: z.output<S>, deps: BuiltinDeps) => Interceptor,
): {
  readonly description: string;
  readonly schema: z.ZodType;
  readonly create: (options: unknown, deps: BuiltinDeps) => Interceptor;
} {
  return { description, schema, create: (options, deps) => create(schema.parse(options), deps) };
}

/** Name in the config to interceptor. */
export const builtins = {
  access: builtin("Allows and denies tools, prompts and resources.", accessOptions, createAccess),
  log: builtin("Logs kind, method and size of each message.", logOptions, createLog),
  rate_limit: builtin("Limits how often clients may ask.", rateLimitOptions, createRateLimit),
  record: builtin("Writes messages to a file, redacted.", recordOptions, createRecord),
  redact: builtin("Takes secrets out of messages.", redactOptions, createRedact),
  rewrite: builtin("Renames tools and prompts, edits calls.", rewriteOptions, createRewrite),
};

/** The name of a built-in interceptor. */
export type BuiltinName = keyof typeof builtins;
