/**
 * Waiting for as long as anybody wants what is waited for.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { CancelSignal } from "../http/mod.ts";

/**
 * What `work` comes to, which goes on where it is given up.
 *
 * @throws {ProxyError} `client_closed` where the signal is aborted first
 */
export function unlessAborted<T>(work: Promise<T>, signal: CancelSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const giveUp = () => reject(new ProxyError("client_closed", "The client has gone."));
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  return promise;
}
