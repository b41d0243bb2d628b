/**
 * How many retries there may be, so that a failing upstream does not get more work than a healthy one.
 *
 * Each second has its first few for free; what goes beyond is a part of the calls of the last ten seconds.
 *
 * @module
 */

/** How much may be retried. */
export interface RetryBudgetSettings {
  /** Retries in percent of the calls of the last ten seconds. */
  readonly retryBudgetPercent: number;
  /** Retries a second that are always allowed. */
  readonly retryMinPerSecond: number;
}

/** Calls are counted for so many seconds, each in a bucket of its own. */
const SECONDS = 10;

/** One second. */
interface Bucket {
  /** Which one, on the clock's scale. */
  second: number;
  calls: number;
  retries: number;
}

/** Counts calls and retries of one upstream. Pure: it is told the time. */
export class RetryBudget {
  /** What may be retried from now on. */
  settings: RetryBudgetSettings;
  readonly #buckets: readonly Bucket[] = Array.from(
    { length: SECONDS },
    () => ({ second: -1, calls: 0, retries: 0 }),
  );

  /** Without calls yet. */
  constructor(settings: RetryBudgetSettings) {
    this.settings = settings;
  }

  /** A client has called, `nowMs` on the clock's monotonic scale. */
  called(nowMs: number): void {
    this.#bucketAt(nowMs).calls++;
  }

  /** Whether there may be one more retry now. */
  mayRetry(nowMs: number): boolean {
    const { retryMinPerSecond, retryBudgetPercent } = this.settings;
    const now = this.#bucketAt(nowMs);
    if (now.retries < retryMinPerSecond) return true;
    let [calls, beyond] = [0, 0];
    for (const bucket of this.#buckets) {
      if (bucket.second <= now.second - SECONDS) continue;
      calls += bucket.calls;
      beyond += Math.max(0, bucket.retries - retryMinPerSecond);
    }
    return beyond + 1 <= calls * retryBudgetPercent / 100;
  }

  /** One retry is made. */
  retried(nowMs: number): void {
    this.#bucketAt(nowMs).retries++;
  }

  #bucketAt(nowMs: number): Bucket {
    const second = Math.floor(nowMs / 1_000);
    const bucket = this.#buckets[second % SECONDS]!;
    if (bucket.second !== second) {
      bucket.second = second;
      bucket.calls = 0;
      bucket.retries = 0;
    }
    return bucket;
  }
}
