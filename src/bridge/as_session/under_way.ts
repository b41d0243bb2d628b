/**
 * The requests of one session whose responses have not come, by their ids.
 *
 * @module
 */

import type { ProxyError } from "../../errors.ts";
import { type Exchange, type Key, keyOf, likeType } from "../../rpc/mod.ts";

/** A request under way. */
interface Asked {
  readonly exchange: Exchange;
  readonly control: AbortController;
}

/** Numbers that stand for ids of numbers when a request is sent again begin behind this one. */
const FIRST_SERIAL = 1_000_000_000;

/** Requests under way. */
export class UnderWay {
  readonly #byId = new Map<Key, Asked>();
  #serial = FIRST_SERIAL;

  /** How many there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** Whether there is one with this id. */
  has(key: Key): boolean {
    return this.#byId.has(key);
  }

  /** Begins a request of an exchange; what it returns is aborted when nobody waits for the response any more. */
  begin(key: Key, exchange: Exchange): AbortController {
    const control = new AbortController();
    this.#byId.set(key, { exchange, control });
    return control;
  }

  /** The request that `begin` has returned this of is done. */
  done(key: Key, control: AbortController): void {
    if (this.#byId.get(key)?.control === control) this.#byId.delete(key);
  }

  /** Nobody waits any more for a request of an exchange; nothing where it is done. */
  abort(key: Key, exchange: Exchange): void {
    const asked = this.#byId.get(key);
    if (asked?.exchange !== exchange) return;
    this.#byId.delete(key);
    asked.control.abort();
  }

  /** Its client has cancelled a request, and gets no response. */
  cancel(key: Key | undefined): void {
    const exchange = key === undefined ? undefined : this.#byId.get(key)?.exchange;
    if (exchange === undefined) return;
    this.abort(key!, exchange);
    exchange.withdraw(key!);
  }

  /** Ends all of them; who waits is told `why`. */
  end(why: ProxyError): void {
    for (const [key, { exchange }] of [...this.#byId]) {
      exchange.fail(why);
      this.abort(key, exchange);
    }
  }

  /** An id of the JSON type of another, which none of them has. */
  newId(idText: string): string {
    for (;;) {
      const found = likeType(idText, ++this.#serial);
      if (!this.#byId.has(keyOf(found)!)) return found;
    }
  }
}
