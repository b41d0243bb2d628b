/**
 * Asking a store that answers at once or later.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";

/**
 * Asks the store.
 *
 * @throws {ProxyError} `store_unavailable` for what it could not do, at once or later
 */
export function stored<T>(ask: () => T | Promise<T>): T | Promise<T> {
  try {
    const answer = ask();
    return answer instanceof Promise ? answer.catch(refuse) : answer;
  } catch (error) {
    return refuse(error);
  }
}

/** Goes on with an answer: at once where it is there, so that nothing gets in between. */
export function then<T, U>(
  answer: T | Promise<T>,
  goOn: (answer: T) => U | Promise<U>,
): U | Promise<U> {
  return answer instanceof Promise ? answer.then(goOn) : goOn(answer);
}

function refuse(error: unknown): never {
  if (error instanceof ProxyError) throw error;
  throw new ProxyError(
    "store_unavailable",
    "The proxy cannot reach the store of its sessions; try again later.",
    { cause: error, headers: { "retry-after": "5" } },
  );
}
