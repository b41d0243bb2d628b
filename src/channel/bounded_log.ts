/**
 * What a process says beside its messages, in the log: not more of it than the log can take.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { LogFields, Logger } from "../telemetry/mod.ts";

/** Characters of a line that are logged. */
export const MAX_LINE_CHARACTERS = 1_024;
/** Lines that are logged in `WINDOW_MS`. */
export const MAX_LINES = 100;
/** The time in which lines are counted, in milliseconds. */
export const WINDOW_MS = 10_000;

/** Logs lines of one process. */
export class BoundedLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #fields: LogFields;
  #sinceMs: number;
  #lines = 0;
  #passedOver = 0;

  /** Nothing was said yet; `fields` stand beside each line. */
  constructor(logger: Logger, clock: Clock, fields: LogFields) {
    this.#logger = logger;
    this.#clock = clock;
    this.#fields = fields;
    this.#sinceMs = clock.monotonicMs();
  }

  /** Logs one line, or counts it where there were too many. */
  line(level: "info" | "warn", message: string, text: string): void {
    if (this.#clock.monotonicMs() - this.#sinceMs >= WINDOW_MS) this.end();
    if (++this.#lines > MAX_LINES) {
      this.#passedOver++;
      return;
    }
    const shown = text.length > MAX_LINE_CHARACTERS
      ? `${text.slice(0, MAX_LINE_CHARACTERS)}…`
      : text;
    this.#logger[level](message, { ...this.#fields, text: shown });
  }

  /** Tells how many lines were passed over, and counts anew. */
  end(): void {
    if (this.#passedOver > 0) {
      const lines = this.#passedOver;
      this.#logger.warn("lines of an upstream server were not logged", { ...this.#fields, lines });
    }
    this.#sinceMs = this.#clock.monotonicMs();
    this.#lines = 0;
    this.#passedOver = 0;
  }
}
