/**
 * The answers under way, so that a stopping proxy can end those that would never end by themselves.
 *
 * @module
 */

/** An answer under way. */
export interface Followed {
  /** Ends it cleanly. */
  end(): void;
  /** Calls back once when it is over, at once if it is over already. */
  whenOver(callback: () => void): void;
}

/** The answers under way on all routes. Each leaves the set by itself when it is over. */
export class Exchanges {
  readonly #all = new Set<Followed>();
  /** The subscriptions, each with whether it may go on. */
  readonly #subscriptions = new Map<Followed, () => boolean>();
  #draining = false;
  #waiting = 0;

  /** How many requests there are whose answer has not begun. */
  get waiting(): number {
    return this.#waiting;
  }

  /** A request has come, whose answer will begin or which will fail: each is one `answered`. */
  asked(): void {
    this.#waiting++;
  }

  /** The answer to a request has begun, or it has failed. */
  answered(): void {
    this.#waiting--;
  }

  /** How many answers are under way. */
  get size(): number {
    return this.#all.size;
  }

  /** How many of them are subscriptions. */
  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  /**
   * Follows an answer to its end. A subscription (a GET stream, `subscriptions/listen`) has no end
   * of its own: while the proxy stops it is ended at once, which clients take as a sign to reconnect. So is one
   * that is not served any more when it begins: what it was asked for by may have gone meanwhile.
   *
   * @param isServed whether who has it may have it
   */
  follow(body: Followed, isSubscription: boolean, isServed: () => boolean): void {
    this.#all.add(body);
    if (isSubscription) this.#subscriptions.set(body, isServed);
    body.whenOver(() => {
      this.#all.delete(body);
      this.#subscriptions.delete(body);
    });
    if (isSubscription && (this.#draining || !isServed())) body.end();
  }

  /** Whether subscriptions are ended as soon as they begin. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Ends all subscriptions, now and from now on; calls go on (R68). */
  drain(): void {
    this.#draining = true;
    for (const body of [...this.#subscriptions.keys()]) body.end();
  }

  /** Ends the subscriptions that are not served any more; they would never end by themselves. */
  endUnserved(): void {
    for (const [body, isServed] of [...this.#subscriptions]) if (!isServed()) body.end();
  }

  /** Lets subscriptions go on that begin from now on. */
  resume(): void {
    this.#draining = false;
  }
}
