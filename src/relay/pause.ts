/**
 * Waiting between attempts.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { CancelSignal } from "../http/mod.ts";

/** Waits for so many milliseconds, or until the signal is aborted; never rejects. Leaves nothing at the signal. */
export async function pause(
  clock: Pick<Clock, "after">,
  delayMs: number,
  signal: CancelSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(delayMs, resolve);
  const stop = () => resolve();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  await promise;
  signal.removeEventListener("abort", stop);
  timer.cancel();
}
