/**
 * Comments on streams that have been silent for long, so that nobody between takes them for dead (R52).
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import type { Bytes } from "../http/mod.ts";

/** A comment; a client passes over it (WHATWG HTML 9.2.6). */
export const KEEP_ALIVE: Bytes = new TextEncoder().encode(": keep-alive\n\n");

/** A stream that may be silent. */
export interface Silent {
  /** Whether nothing was sent since the last time this was asked. */
  quiet(): boolean;
  /** Sends a comment. */
  push(bytes: Bytes): void;
}

/**
 * Looks twice in every `intervalMs`, and sends a comment where nothing went out since the last look: so a
 * stream is never silent for longer, and what is sent in between costs no timer.
 *
 * @param clock with many streams, one whose timers are shared
 * @param intervalMs 0 for none
 */
export function keepAlive(clock: Clock, intervalMs: number, stream: Silent): Timer {
  if (intervalMs === 0) return { cancel: () => {} };
  let timer = clock.after(intervalMs / 2, look);
  function look(): void {
    if (stream.quiet()) stream.push(KEEP_ALIVE);
    timer = clock.after(intervalMs / 2, look);
  }
  return { cancel: () => timer.cancel() };
}
