/**
 * Waiting for something, but not for ever.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";

/** Waits for something, whatever becomes of it, but not for longer than so many milliseconds. */
export async function inTime(
  clock: Pick<Clock, "after">,
  delayMs: number,
  work: Promise<unknown>,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(delayMs, resolve);
  work.then(() => resolve(), () => resolve());
  await promise;
  timer.cancel();
}
