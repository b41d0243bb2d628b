/**
 * Interceptors: code that sees, changes, drops or answers messages and events on their way.
 *
 * `types.ts` is what a user's own module is written against, `pipeline.ts` composes interceptors,
 * `builtin/` holds those that come with the proxy, one a file.
 *
 * May import `clock.ts`, `errors.ts`, `http`, `json` and the types of `telemetry`.
 *
 * @module
 */

export { ExactNumber, MAX_MESSAGE_DEPTH, parseMessages, stringifyMessage } from "./codec.ts";
export { type BuiltinName, builtins } from "./builtins.ts";
export { DEFAULT_TIMEOUT_MS, type GuardOptions, type PipelineEntry, type Soon } from "./guard.ts";
export { type BuiltinDeps, fileLines, type LineWriter } from "./deps.ts";
export {
  type ClientOutcome,
  createPipeline,
  type EventOutcome,
  type Pipeline,
  type ServerOutcome,
} from "./pipeline.ts";
export {
  buildEntries,
  buildEntry,
  type BuildOptions,
  type InterceptorFailure,
  InterceptorLoadError,
  InterceptorsLoadError,
  loadUserModule,
  moduleVersion,
} from "./registry.ts";
export { type ConfigInterceptor, configSchemas } from "./schema.ts";
export type * from "./types.ts";
export { MAX_EXPANSION } from "./verdict.ts";
