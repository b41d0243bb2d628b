/**
 * What waits for an event log that is elsewhere: a line for each stream, in which one thing is done after the
 * other, and appends that have come meanwhile are done together.
 *
 * @module
 */

import { EventLogError } from "./error.ts";
import type { GivenRun } from "./runs.ts";

/** Bytes that one call takes at most of what waits for a stream, one append in any case. */
const MAX_BATCH_BYTES = 1_048_576;

/** An append that waits for its turn, or a stream that is to be forgotten. */
export interface Waiting {
  /** What to keep; left out where the stream is to be forgotten. */
  readonly runs?: readonly GivenRun[];
  /** What it is counted at while it waits. */
  readonly cost: number;
  /** Settles when it is done. */
  readonly done: Promise<void>;
  /** It is done. */
  readonly resolve: () => void;
  /** It cannot be done. */
  readonly reject: (error: unknown) => void;
}

/** What is to be done with one stream, one thing after the other. */
interface Line {
  readonly waiting: Waiting[];
  /** What is being done now. */
  underWay: readonly Waiting[];
}

/** The lines of all streams, which are bounded together. */
export class WaitingLines {
  readonly #maxBytes: number;
  readonly #do: (stream: string, batch: readonly Waiting[]) => Promise<void>;
  readonly #lines = new Map<string, Line>();
  #waitingBytes = 0;

  /** At most `maxBytes` wait; `act` does a batch of appends, or forgets one stream, and never rejects. */
  constructor(
    maxBytes: number,
    act: (stream: string, batch: readonly Waiting[]) => Promise<void>,
  ) {
    this.#maxBytes = maxBytes;
    this.#do = act;
  }

  /** Puts something in the line of its stream, and begins with it where nothing is under way. */
  enqueue(stream: string, cost: number, runs?: () => readonly GivenRun[]): Promise<void> {
    if (this.#waitingBytes > 0 && this.#waitingBytes + cost > this.#maxBytes) {
      return Promise.reject(new EventLogError("Too much waits for the event log in Redis."));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Who does not want to know how it went need not listen.
    promise.catch(() => {});
    const waiting = {
      ...(runs && { runs: runs() }),
      cost,
      done: promise,
      ...this.#counted(cost, resolve, reject),
    };
    const line = this.#lines.get(stream);
    if (line !== undefined) {
      line.waiting.push(waiting);
    } else {
      const line: Line = { waiting: [waiting], underWay: [] };
      this.#lines.set(stream, line);
      void this.#work(stream, line);
    }
    return promise;
  }

  /** Settles when everything that has come so far for a stream is done; undefined where nothing waits. */
  settled(stream: string): Promise<unknown> | undefined {
    const line = this.#lines.get(stream);
    return line && settledOf(line);
  }

  /** Settles when everything that has come so far is done. */
  allSettled(): Promise<unknown> {
    return Promise.all([...this.#lines.values()].map(settledOf));
  }

  /** Counts what waits, up to the moment in which one of the two is called. */
  #counted(cost: number, resolve: () => void, reject: (error: unknown) => void) {
    this.#waitingBytes += cost;
    const settled = () => void (this.#waitingBytes -= cost);
    return {
      resolve: () => (settled(), resolve()),
      reject: (error: unknown) => (settled(), reject(error)),
    };
  }

  /** Does what stands in a line; never rejects. */
  async #work(stream: string, line: Line): Promise<void> {
    while (line.waiting.length > 0) {
      line.underWay = nextBatch(line);
      await this.#do(stream, line.underWay);
    }
    this.#lines.delete(stream);
  }
}

function settledOf({ underWay, waiting }: Line): Promise<unknown> {
  return Promise.allSettled([...underWay, ...waiting].map(({ done }) => done));
}

/** Takes from a line what can be done at once: appends, or one stream to be forgotten. */
function nextBatch(line: Line): Waiting[] {
  let [count, cost] = [0, 0];
  for (const waiting of line.waiting) {
    cost += waiting.cost;
    if (count > 0 && (waiting.runs === undefined || cost > MAX_BATCH_BYTES)) break;
    count++;
    if (waiting.runs === undefined) break;
  }
  return line.waiting.splice(0, count);
}
