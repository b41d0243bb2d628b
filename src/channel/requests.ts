/**
 * The requests of one session whose responses have not come: by their ids and by their progress tokens.
 *
 * @module
 */

import { type Exchange, type Key, keyOf, type RpcText, textAt } from "../rpc/mod.ts";

const TOKEN_PATH = ["params", "_meta", "progressToken"];

/** A request that went to the server. */
interface Asked {
  readonly exchange: Exchange;
  readonly token: Key | undefined;
}

/** A request that has its response. */
export interface Answered {
  /** Whose it is. */
  readonly exchange: Exchange;
  /** Under which id. */
  readonly key: Key;
  /** The response. */
  readonly text: string;
}

const isAttended = ({ attended }: Exchange) => attended;

/** Requests in flight, the oldest first. */
export class Requests {
  readonly #byId = new Map<Key, Asked>();
  readonly #byToken = new Map<Key, Exchange>();

  /** How many there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** Whether there is one with this id. */
  has(key: Key): boolean {
    return this.#byId.has(key);
  }

  /** Notes a request of an exchange. */
  add(key: Key, request: RpcText, exchange: Exchange): void {
    const token = keyOf(textAt(request, TOKEN_PATH));
    this.#byId.set(key, { exchange, token });
    if (token !== undefined) this.#byToken.set(token, exchange);
  }

  /** Takes the request with this id away; whose it is. */
  take(key: Key | undefined): Exchange | undefined {
    const asked = key === undefined ? undefined : this.#byId.get(key);
    if (asked === undefined) return undefined;
    this.#byId.delete(key!);
    if (asked.token !== undefined && this.#byToken.get(asked.token) === asked.exchange) {
      this.#byToken.delete(asked.token);
    }
    return asked.exchange;
  }

  /** Takes the request that a response answers away; undefined where there is none. */
  takeAnswered(response: RpcText): Answered | undefined {
    const idText = textAt(response, ["id"]);
    const key = keyOf(idText);
    const exchange = this.take(key);
    if (exchange !== undefined) return { exchange, key: key!, text: response.text };
    const isNameless = idText === undefined || idText === "null";
    const isError = Object.hasOwn(response.value, "error");
    return isNameless && isError ? this.#takeOnly(response) : undefined;
  }

  /** An error without an id, as of a server that could not read it, can be about no other request. */
  #takeOnly(response: RpcText): Answered | undefined {
    const exchange = this.size === 1 ? this.only() : undefined;
    if (exchange === undefined) return undefined;
    const [key] = this.takeOf(exchange);
    const error = textAt(response, ["error"])!;
    const text = `{"jsonrpc":"2.0","id":${exchange.idText(key!)},"error":${error}}`;
    return { exchange, key: key!, text };
  }

  /** Takes all requests of an exchange away; their ids. */
  takeOf(exchange: Exchange): Key[] {
    const keys = [...this.#byId].filter(([, asked]) => asked.exchange === exchange)
      .map(([key]) => key);
    for (const key of keys) this.take(key);
    return keys;
  }

  /** The request to which progress under this token belongs. */
  byToken(token: Key | undefined): Exchange | undefined {
    return token === undefined ? undefined : this.#byToken.get(token);
  }

  /** The oldest that is `wanted`: where nothing else is said, for which somebody waits. */
  oldest(wanted = isAttended): Exchange | undefined {
    for (const { exchange } of this.#byId.values()) if (wanted(exchange)) return exchange;
    return undefined;
  }

  /** The newest that is `wanted`. */
  newest(wanted = isAttended): Exchange | undefined {
    return [...this.#byId.values()].findLast(({ exchange }) => wanted(exchange))?.exchange;
  }

  /** The only one for which somebody waits; undefined where there are none or more. */
  only(): Exchange | undefined {
    let found: Exchange | undefined;
    for (const { exchange } of this.#byId.values()) {
      if (!exchange.attended || exchange === found) continue;
      if (found !== undefined) return undefined;
      found = exchange;
    }
    return found;
  }

  /** All exchanges with a request in flight. */
  exchanges(): Set<Exchange> {
    return new Set(this.#byId.values().map(({ exchange }) => exchange));
  }

  /**
   * Makes room for `count` more where there may be `max`: the oldest for which nobody waits any more go; false
   * where those do not suffice.
   */
  makeRoom(count: number, max: number): boolean {
    while (this.size + count > max) if (!this.#forgetUnattended()) return false;
    return true;
  }

  #forgetUnattended(): boolean {
    for (const [key, { exchange }] of this.#byId) {
      if (exchange.attended) continue;
      this.take(key);
      return true;
    }
    return false;
  }
}
