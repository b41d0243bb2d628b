/**
 * One request from the call to the head of its answer: its deadline, and giving it up wherever it is.
 *
 * @module
 */

import type { Clock, Timer } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import type { HttpRequest } from "../http_client.ts";

/** A request under way. */
export class Call {
  /** What is asked. */
  readonly request: HttpRequest;
  /** When the call began, on the clock's monotonic scale. */
  readonly startedMs: number;
  readonly #deadline: Timer;
  readonly #onAbort = () => this.#giveUp(clientClosed());
  #failure: ProxyError | undefined;
  #onGiveUp: ((error: ProxyError) => void) | undefined;

  /** Begins now; ends with `settle`. */
  constructor(request: HttpRequest, clock: Clock) {
    this.request = request;
    this.startedMs = clock.monotonicMs();
    this.#deadline = clock.after(request.timeouts.headersMs, () => this.#giveUp(tooLate()));
    if (request.signal.aborted) this.#failure = clientClosed();
    else request.signal.addEventListener("abort", this.#onAbort);
  }

  /**
   * Has `giveUp` called when the call's time is up or nobody waits for it any more, in place of what was
   * set before.
   *
   * @throws {ProxyError} where that is so already.
   */
  whenGivenUp(giveUp: ((error: ProxyError) => void) | undefined): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#onGiveUp = giveUp;
  }

  /** Ends the watch: the head is there, or the call has failed. */
  settle(): void {
    this.#deadline.cancel();
    this.#onGiveUp = undefined;
    this.request.signal.removeEventListener("abort", this.#onAbort);
  }

  #giveUp(error: ProxyError): void {
    this.#failure ??= error;
    this.#onGiveUp?.(this.#failure);
  }
}

function clientClosed(): ProxyError {
  return new ProxyError("client_closed", "The client closed the request before it was answered.");
}

function tooLate(): ProxyError {
  return new ProxyError("upstream_timeout", "The upstream server did not answer in time.");
}
