/**
 * The config: schema, loading from file, environment and flags, and problems in words.
 *
 * May import `intercept` (for the options of interceptors), `telemetry` (for the names of the log
 * levels) and `upstream` (for how an address reads).
 *
 * @module
 */

export { backOffOf } from "./back_off.ts";
export { isLoopback } from "./loopback.ts";
export { HEADER_NAME, HEADER_NAME_WANTED } from "./header_name.ts";
export { type HttpSsePaths, httpSsePaths } from "./http_sse_paths.ts";
export { configJsonSchema, JSON_SCHEMA_FILE } from "./json_schema.ts";
export {
  CONFIG_FILE_VARIABLE,
  type ConfigSources,
  DEFAULT_PATH,
  environmentOverrides,
  HEADER_FLAG,
  loadConfig,
  OVERRIDE_NAMES,
  type Overrides,
} from "./load.ts";
export { type ReadVariable, withVariables } from "./variables.ts";
export {
  ConfigError,
  type ConfigProblem,
  didYouMean,
  formatProblem,
  shownName,
} from "./problems.ts";
export {
  type ReloadedRoutes,
  type ReloadOutcome,
  RESTART_WANTED,
  restartProblems,
} from "./reload.ts";
export { type ListenAddress, parseAddress } from "./schema.ts";
export { KEY_NAME, KEY_NAME_WANTED } from "./sessions_schema.ts";
export type {
  AuthConfig,
  Config,
  EventLogConfig,
  LimitsConfig,
  OauthConfig,
  RecordConfig,
  RedisConfig,
  RouteConfig,
  SessionsConfig,
} from "./types.ts";
export type {
  BalanceConfig,
  BalancePolicy,
  HealthConfig,
  StdioConfig,
  TargetConfig,
  UpstreamConfig,
  UpstreamOauthConfig,
} from "./upstream_types.ts";
