/**
 * Structured log lines: JSON for machines, one readable line for a terminal.
 *
 * Never logged: session ids, tokens, message ids, arguments, results (R96).
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { LineSink } from "./sink.ts";

/** From least to most severe; `silent` logs nothing. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** How severe a line is, or from where on lines are written. */
export type LogLevel = typeof LOG_LEVELS[number];

/** How a line is written. */
export type LogFormat = "json" | "pretty";

/** What a line carries beside its message; durations in milliseconds end in `Ms`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes log lines. */
export interface Logger {
  /** Details, of use when something is being looked for. */
  debug(message: string, fields?: LogFields): void;
  /** What the proxy does. */
  info(message: string, fields?: LogFields): void;
  /** What went wrong outside the proxy. */
  warn(message: string, fields?: LogFields): void;
  /** What went wrong in the proxy. */
  error(message: string, fields?: LogFields): void;
  /** Whether lines of this level are written, to save the work of making one. */
  enabled(level: LogLevel): boolean;
  /** Resolves when every line so far is written. */
  flush(): Promise<void>;
}

/** A logger whose level can be changed while it is in use. */
export interface AdjustableLogger extends Logger {
  /** Writes lines of this level and of more severe ones from now on. */
  setLevel(level: LogLevel): void;
}

/** What a logger is made of. */
export interface LoggerOptions {
  /** Least severe lines to write. */
  readonly level: LogLevel;
  /** For machines or for people. */
  readonly format: LogFormat;
  /** Whether lines for people have colours; left out: they have. */
  readonly isColoured?: boolean;
  /** Time. */
  readonly clock: Clock;
  /** Where lines go. */
  readonly sink: LineSink;
}

/** A logger that writes to `sink`. */
export function createLogger(options: LoggerOptions): AdjustableLogger {
  // For each request is asked whether its line is wanted.
  let wanted = wantedFrom(options.level);
  const enabled = (level: LogLevel) => wanted[level];
  const pretty = prettyLine(options.isColoured ?? true);
  const write = options.format === "json" ? jsonLine : pretty;
  const at = (level: LogLevel) => (message: string, fields: LogFields = {}) => {
    if (enabled(level)) options.sink.write(write(options.clock.now(), level, message, fields));
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    enabled,
    setLevel: (level) => void (wanted = wantedFrom(level)),
    flush: () => options.sink.flush(),
  };
}

/** Which lines are written from a level on. */
function wantedFrom(level: LogLevel): Readonly<Record<LogLevel, boolean>> {
  const threshold = LOG_LEVELS.indexOf(level);
  const isWanted = (one: LogLevel) => LOG_LEVELS.indexOf(one) >= threshold;
  return {
    debug: isWanted("debug"),
    info: isWanted("info"),
    warn: isWanted("warn"),
    error: isWanted("error"),
    silent: isWanted("silent"),
  };
}

/** A logger that writes nothing. */
export const nullLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  enabled: () => false,
  flush: () => Promise.resolve(),
};

function jsonLine(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  return JSON.stringify({ time: time.toISOString(), level, message, ...plain(fields) });
}

const COLOURS: Readonly<Record<LogLevel, string>> = {
  debug: "\x1b[2m",
  info: "\x1b[36m",
  warn: "\x1b[33m",
  error: "\x1b[31m",
  silent: "",
};

function prettyLine(isColoured: boolean) {
  return (time: Date, level: LogLevel, message: string, fields: LogFields): string => {
    const clock = time.toISOString().slice(11, 23);
    const rest = Object.entries(plain(fields)).map(([key, value]) => ` ${key}=${text(value)}`);
    const name = level.padEnd(5);
    const shown = isColoured ? `${COLOURS[level]}${name}\x1b[0m` : name;
    return `${clock} ${shown} ${message}${rest.join("")}`;
  };
}

function text(value: unknown): string {
  return typeof value === "string" && /^[\w./:@*-]+$/.test(value) ? value : JSON.stringify(value);
}

/** The fields with each error, and its causes, as one line of text. */
function plain(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, value instanceof Error ? describeError(value) : value]),
  );
}

const MAX_CAUSES = 5;

function describeError(error: Error): string {
  const parts: string[] = [];
  let current: unknown = error;
  while (current instanceof Error && parts.length < MAX_CAUSES) {
    parts.push(`${current.name}: ${current.message}`);
    current = current.cause;
  }
  return parts.join("; caused by ");
}
