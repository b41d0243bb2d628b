/**
 * Interceptors in the config.
 *
 * @module
 */

import { z } from "zod";
import { DEFAULT_TIMEOUT_MS } from "./guard.ts";
import { type BuiltinName, builtins } from "./builtins.ts";

/** One interceptor of a config, checked and with its defaults filled in. */
export interface ConfigInterceptor {
  /** Name of a built-in one; `module`, or nothing, for a user's own. */
  readonly use?: BuiltinName | "module" | undefined;
  /** Path of the user's module. */
  readonly module?: string | undefined;
  /** For a built-in one as its schema has them; for a module whatever it asks for. */
  readonly options?: unknown;
  /** Longest time that one call of a hook may take, in milliseconds. */
  readonly timeoutMs: number;
  /** What becomes of a message on which it failed. */
  readonly onError: "pass" | "fail";
}

const common = {
  timeoutMs: z.int({ error: "whole milliseconds" }).min(1, { error: "at least 1 ms" })
    .max(2_147_483_647, { error: "at most 2147483647 ms, the longest timer there is" })
    .default(DEFAULT_TIMEOUT_MS).describe(
      "Longest time that it may take with one message, in milliseconds; then it has failed.",
    ),
  onError: z.enum(["fail", "pass"], { error: "fail or pass" }).default("fail").describe(
    "What becomes of a message on which it failed: fail puts an error in its place (a notification " +
      "is dropped), pass lets it through unchanged.",
  ),
};

const [first, ...others] = Object.entries(builtins).map(([name, { schema, description }]) =>
  z.strictObject({
    use: z.literal(name).describe(description),
    options: schema.prefault({}).describe(`Options of ${name}.`),
    ...common,
  })
);

const userModule = z.strictObject({
  use: z.literal("module").optional().describe("A module of your own; may be left out."),
  module: z.string({
    error: "the path of a module, or use with the name of a built-in interceptor",
  })
    .regex(/^(file:\/\/|\.{1,2}[/\\]|[/\\]|[A-Za-z]:[/\\])/, {
      error: "a path that begins with ./, ../ or /, of a TypeScript or JavaScript module",
    }).describe(
      "TypeScript or JavaScript module whose default export is an interceptor, or a function that " +
        "makes one of the options. A relative path begins at the folder of the config file.",
    ),
  options: z.unknown().optional().describe("Given to the module's function."),
  ...common,
});

const interceptorSchema: z.ZodType<ConfigInterceptor> = z.discriminatedUnion(
  "use",
  [userModule, first!, ...others],
  { error: `${Object.keys(builtins).join(", ")}, or a module` },
) as unknown as z.ZodType<ConfigInterceptor>;

/** Schemas for the config: `interceptors` of a route, or of all routes. */
export const configSchemas = {
  interceptors: z.array(interceptorSchema).max(100, { error: "at most 100 interceptors" }),
};
