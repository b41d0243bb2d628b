/**
 * A process that outlives mistakes.
 *
 * @module
 */

import type { Logger } from "../telemetry/mod.ts";

/** Runs `work`; a rejection that nobody handles meanwhile is logged and does not end the process. */
export async function surviving<T>(logger: Logger, work: () => Promise<T>): Promise<T> {
  const survive = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    logger.error("a rejection that nobody handled", { error: event.reason });
  };
  globalThis.addEventListener("unhandledrejection", survive);
  try {
    return await work();
  } finally {
    globalThis.removeEventListener("unhandledrejection", survive);
  }
}
