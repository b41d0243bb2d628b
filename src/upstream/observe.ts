/**
 * Observers of a body: several may want to see it go by.
 *
 * @module
 */

/** Called with each piece before the reader gets it. */
export type Observe = (bytes: Uint8Array) => void;

/** One observer that calls both. */
export function observeToo(earlier: Observe | undefined, observe: Observe): Observe {
  if (earlier === undefined) return observe;
  return (bytes) => {
    earlier(bytes);
    observe(bytes);
  };
}
