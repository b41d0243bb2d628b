/**
 * What tests of interceptors share: a context, and a log that keeps its lines.
 *
 * @module
 */

import type { InterceptContext, PipelineEntry } from "../intercept/mod.ts";
import type { LogFields, Logger } from "../telemetry/mod.ts";
import { nullLogger } from "../telemetry/mod.ts";
import { ManualClock } from "./manual_clock.ts";

/** A context with its own log lines. */
export function interceptContext(
  changes: Partial<InterceptContext> = {},
): InterceptContext & { readonly lines: LogFields[] } {
  const lines: LogFields[] = [];
  return {
    route: "r",
    era: "session",
    revision: "2025-11-25",
    sessionId: "s1",
    method: undefined,
    principal: "anonymous",
    signal: new AbortController().signal,
    log: (fields) => void lines.push(fields),
    ...changes,
    lines,
  };
}

/** A logger that keeps every line. */
export function keptLog(): Logger & { readonly lines: [string, string, LogFields][] } {
  const lines: [string, string, LogFields][] = [];
  const at = (level: string) => (message: string, fields: LogFields = {}) =>
    void lines.push([level, message, fields]);
  const levels = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return { ...nullLogger, ...levels, enabled: () => true, lines };
}

/** An interceptor with a deadline of 100 ms, in a pipeline. */
export function entry(
  interceptor: Partial<PipelineEntry["interceptor"]>,
  onError: "pass" | "fail" = "fail",
): PipelineEntry {
  return { interceptor: { name: "x", ...interceptor }, timeoutMs: 100, onError };
}

/** What a pipeline is given in tests. */
export function pipelineDeps() {
  return { clock: new ManualClock(), log: keptLog() };
}
