/**
 * What tests of interceptors share: a context, and a log that keeps its lines.
 *
 * @module
 */

import { assert } from "@std/assert";
import {
  createPipeline,
  type InterceptContext,
  type JsonRpcMessage,
  parseMessages,
  type PipelineEntry,
  type Soon,
} from "../intercept/mod.ts";
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

/** A pipeline of these, with a clock that stands still and the lines it logged. */
export function pipelineUnderTest(...entries: PipelineEntry[]) {
  const deps = { clock: new ManualClock(), log: keptLog() };
  return { ...deps, ...createPipeline(entries, deps) };
}

/** A message of a text. */
export function messageOf(text: string): JsonRpcMessage {
  return parseMessages(text).messages[0]!;
}

/** What is there at once, and no promise. */
export function now<T>(value: Soon<T>): T {
  assert(!(value instanceof Promise));
  return value;
}

/** The id of an error response, as text, and its code. */
export function errorOf(response: JsonRpcMessage | undefined): unknown[] {
  const { id, error } = response as { id: unknown; error: { code: number } };
  return [JSON.stringify(id), error.code];
}
