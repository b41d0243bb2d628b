/**
 * What built-in interceptors are given from outside.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Logger } from "../telemetry/mod.ts";

/** Takes lines of text for a file or the like. */
export interface LineWriter {
  /** Takes one line, without its line break; never waits and never throws. */
  write(line: string): void;
  /** Resolves when all lines are written, and takes none after that. */
  close(): Promise<void>;
}

/** What built-in interceptors are given from outside. */
export interface BuiltinDeps {
  /** Time. */
  readonly clock: Clock;
  /** Told what goes wrong. */
  readonly log: Logger;
  /** Opens the file at a path to add lines to it; `fileLines` but in tests. */
  readonly openLines: (path: string, log: Logger) => LineWriter;
}

/** Characters that may wait to be written before lines are dropped. */
const MAX_WAITING_CHARACTERS = 1 << 20;

/**
 * Adds lines to a file, in the background; lines that the disk cannot take in time are dropped and
 * counted. A file that it makes is its owner's alone.
 *
 * @throws {Deno.errors.PermissionDenied} and the like, at once, where the file cannot be opened.
 */
export function fileLines(path: string, log: Logger): LineWriter {
  const file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
  const encoder = new TextEncoder();
  let waiting = "";
  let dropped = 0;
  let closed = false;
  let running: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  async function drain(): Promise<void> {
    while (waiting !== "") {
      const bytes = encoder.encode(waiting);
      waiting = "";
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    }
    running = undefined;
  }

  async function close(): Promise<void> {
    closed = true;
    await running;
    file.close();
    if (dropped > 0) log.warn("lines of an interceptor dropped", { path, count: dropped });
  }

  return {
    write(line) {
      if (closed || waiting.length + line.length > MAX_WAITING_CHARACTERS) {
        dropped++;
        return;
      }
      waiting += `${line}\n`;
      running ??= drain().catch((error) => {
        closed = true;
        log.error("the file of an interceptor cannot be written", { path, error });
      });
    },
    close: () => closing ??= close(),
  };
}
