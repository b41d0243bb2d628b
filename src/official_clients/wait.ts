/**
 * Waiting for events: with a deadline, and without missing what came before the wait began.
 *
 * @module
 */

const DEADLINE_MS = 10_000;

/** What `promise` resolves with; rejects with a sentence when it takes longer than the deadline. */
export async function within<T>(
  promise: Promise<T>,
  what: string,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`${what} did not happen within ${deadlineMs} ms`)),
    deadlineMs,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Keeps all that arrives, so that a test can wait for something that may be there already. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #checks = new Set<() => void>();

  /** All that arrived so far, in order. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Adds one. */
  push(item: T): void {
    this.#items.push(item);
    for (const check of this.#checks) check();
  }

  /** The first `count` items that match, as soon as so many have arrived. */
  async take(
    count: number,
    what: string,
    matches: (item: T) => boolean,
    deadlineMs = DEADLINE_MS,
  ): Promise<T[]> {
    const { promise, resolve } = Promise.withResolvers<T[]>();
    const check = () => {
      const found = this.#items.filter(matches);
      if (found.length >= count) resolve(found.slice(0, count));
    };
    this.#checks.add(check);
    check();
    try {
      return await within(promise, what, deadlineMs);
    } finally {
      this.#checks.delete(check);
    }
  }

  /** The first item that matches. */
  async first(
    what: string,
    matches: (item: T) => boolean,
    deadlineMs = DEADLINE_MS,
  ): Promise<T> {
    const [item] = await this.take(1, what, matches, deadlineMs);
    return item!;
  }
}
