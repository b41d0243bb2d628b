/**
 * What the proxy says about itself: structured log lines, and what is counted.
 *
 * Imports nothing of `src` but `clock.ts`.
 *
 * @module
 */

export {
  type AdjustableLogger,
  createLogger,
  type LogFields,
  type LogFormat,
  type Logger,
  type LogLevel,
} from "./log.ts";
export { LOG_LEVELS, type LoggerOptions, nullLogger } from "./log.ts";
export { type LineSink, stderrSink } from "./sink.ts";
export type { AnsweredRequest, FailedRequest, RequestMeter } from "./meter.ts";
