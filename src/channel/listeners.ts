/**
 * The GET streams of one session, and what waits until somebody can be told.
 *
 * @module
 */

import { type EventBody, type FlowReader, nameOf, type RpcText, type Waiting } from "../rpc/mod.ts";
import type { Requests } from "./requests.ts";
import { type Taker, takerOf } from "./taker.ts";

/** Those who are told what a server says by itself. */
export class Listeners {
  readonly #requests: Requests;
  readonly #waiting: Waiting;
  readonly #streams: EventBody[] = [];

  /** No streams yet. `requests` are those in flight: who waits for one may be told too. */
  constructor(requests: Requests, waiting: Waiting) {
    this.#requests = requests;
    this.#waiting = waiting;
  }

  /** How many GET streams there are. */
  get streams(): number {
    return this.#streams.length;
  }

  /** Messages that wait until somebody can be told. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether anybody but `reader` waits for something of the server. */
  anyBut(reader: FlowReader): boolean {
    return this.#streams.some((stream) => stream !== reader) ||
      this.#requests.exchanges().values().some((one) => one.attended && !one.reads(reader));
  }

  /** A GET stream more. */
  add(stream: EventBody): void {
    this.#streams.push(stream);
  }

  /** That one is over. */
  remove(stream: EventBody): void {
    this.#streams.splice(this.#streams.indexOf(stream), 1);
  }

  /** Tells somebody a request or a notification of the server, or keeps it until it can be told. */
  tell(message: RpcText): void {
    const taker = takerOf(message, this.#requests, this.#streams);
    if (taker !== undefined) taker.tell(message.text);
    else this.#waiting.add(message.text, nameOf(message));
  }

  /** Tells what has waited. */
  tellWaiting(taker: Taker): void {
    for (const text of this.#waiting.take()) taker.tell(text);
  }

  /** Nothing comes any more: the streams end, and what has waited is counted as dropped. */
  end(): void {
    // What comes next says 404 of the session; until then nothing is wrong with the stream.
    for (const stream of [...this.#streams]) stream.end();
    this.#waiting.drop();
  }
}
