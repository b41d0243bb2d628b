/**
 * Whether the process drains: for good because it stops, or until an operator takes it back.
 *
 * Either way subscriptions end, readiness says so, and answers ask clients to connect anew, so that they come to
 * another instance; calls are answered as before.
 *
 * @module
 */

import type { ProcessDrain, ToldDrain } from "./admin/mod.ts";
import type { Exchanges } from "./front/mod.ts";
import type { Logger } from "./telemetry/mod.ts";

/** What draining works with. */
export interface DrainOptions {
  /** The answers under way on all routes. */
  readonly exchanges: Exchanges;
  /** Where it is told that an operator has begun it, or taken it back. */
  readonly logger: Logger;
  /** How many connections of clients are open now; null where nobody knows. */
  readonly clientConnections: () => number | null;
}

/** The draining of one process. */
export class Drain implements ProcessDrain {
  readonly #options: DrainOptions;
  #stopping = false;

  /** It does not drain yet. */
  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** Whether it drains, for whatever reason. */
  get isDraining(): boolean {
    return this.#options.exchanges.draining;
  }

  /** Drains for good. */
  stop(): void {
    this.#stopping = true;
    this.#options.exchanges.drain();
  }

  /** See `ProcessDrain`. */
  begin(): void {
    if (this.isDraining) return;
    this.#options.exchanges.drain();
    this.#options.logger.info("draining, because the admin address was asked for it");
  }

  /** See `ProcessDrain`. */
  resume(): boolean {
    if (this.#stopping) return false;
    if (!this.isDraining) return true;
    this.#options.exchanges.resume();
    this.#options.logger.info("not draining any more, because the admin address was asked for it");
    return true;
  }

  /** See `ProcessDrain`. */
  told(): ToldDrain {
    const { exchanges, clientConnections } = this.#options;
    return {
      draining: this.isDraining,
      stopping: this.#stopping,
      requestsWaiting: exchanges.waiting,
      answersUnderWay: exchanges.size,
      subscriptions: exchanges.subscriptions,
      clientConnections: clientConnections(),
    };
  }
}
