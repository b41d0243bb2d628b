/**
 * How much of what a client on stdin says may be under way, and how long the next line waits for a place.
 *
 * What answers the server, or ends a request, has places of its own: requests under way may be waiting for just that,
 * and would keep their places for ever behind a stdin that is not read on (2025-11-25 client/sampling;
 * basic/utilities/cancellation).
 *
 * @module
 */

import type { Clock } from "../clock.ts";

/** How much there may be. */
export interface LineRoomOptions {
  /** Time. */
  readonly clock: Clock;
  /** Places for requests and notifications, and as many for replies. */
  readonly maxUnderWay: number;
  /** How long a request waits while nothing comes free before there is none for it, in milliseconds. */
  readonly patienceMs: number;
}

/**
 * What takes a place: `reply` for what no request of the client has to be over for (responses, cancellations, what the
 * proxy itself says to a line), `call` for everything else.
 */
export type PlaceKind = "call" | "reply";

/** What came of waiting: a place, which is given back once; none in time; or the end. */
export type Found = (() => void) | "full" | "stopped";

/** What is under way of one client. */
export class LineRoom {
  readonly #options: LineRoomOptions;
  readonly #taken = { call: 0, reply: 0 };
  /** Whether the wait for a call was in vain, and no call has ended since. */
  #isStuck = false;
  #stopped = false;
  /** Resolves when a place came free, or nobody is to wait any more. */
  #changed = Promise.withResolvers<void>();

  /** With all places free. */
  constructor(options: LineRoomOptions) {
    this.#options = options;
  }

  /** Waits for a place: for a reply as long as it takes, since replies wait for nobody but the one who reads stdout. */
  async take(kind: PlaceKind): Promise<Found> {
    const { clock, patienceMs } = this.#options;
    let isLate = false;
    const mayTire = kind === "call" && this.#isFull(kind) && !this.#isStuck;
    const timer = mayTire
      ? clock.after(patienceMs, () => {
        isLate = true;
        this.#change();
      })
      : undefined;
    try {
      while (!this.#stopped && this.#isFull(kind)) {
        if (isLate) this.#isStuck = true;
        if (kind === "call" && this.#isStuck) return "full";
        await this.#changed.promise;
      }
    } finally {
      timer?.cancel();
    }
    if (this.#stopped) return "stopped";
    this.#taken[kind]++;
    return () => this.#leave(kind);
  }

  /** Nobody gets a place any more. */
  stop(): void {
    this.#stopped = true;
    this.#change();
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#taken.call + this.#taken.reply > 0) await this.#changed.promise;
  }

  #isFull(kind: PlaceKind): boolean {
    return this.#taken[kind] >= this.#options.maxUnderWay;
  }

  #leave(kind: PlaceKind): void {
    this.#taken[kind]--;
    if (kind === "call") this.#isStuck = false;
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
