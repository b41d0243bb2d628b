/**
 * The GET streams of one session, and what waits until one of them can be told.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { EventBody, Flow, type Waiting } from "../../rpc/mod.ts";
import { Gate } from "./gate.ts";

/** Silence on a stream after which its client has to ask for it again, in milliseconds. */
const IDLE_MS = 86_400_000;

/** Streams for what the server says by itself. The newest is told. */
export class GetStreams {
  readonly #clock: Clock;
  readonly #waiting: Waiting;
  readonly #streams: EventBody[] = [];
  /** Closed while a stream is not read: what comes then has to wait. */
  readonly #gate = new Gate(() => this.tellWaiting());

  /** None yet. */
  constructor(clock: Clock, waiting: Waiting) {
    this.#clock = clock;
    this.#waiting = waiting;
  }

  /** How many there are. */
  get size(): number {
    return this.#streams.length;
  }

  /** Messages that wait for one. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** One more, which is told nothing of what waits; `onOver` is called once when it is over. */
  open(onOver: () => void): EventBody {
    const clock = this.#clock;
    // Nobody else waits behind a reader that does not read.
    const alone = { patienceMs: IDLE_MS, othersWait: () => false };
    const flow = new Flow({ clock, ...alone, ...this.#gate.levers });
    const stream = new EventBody({ clock, streamIdleMs: IDLE_MS, flow }, () => {
      this.#streams.splice(this.#streams.indexOf(stream), 1);
      onOver();
    });
    this.#streams.push(stream);
    return stream;
  }

  /** Tells the newest a message of this method, or keeps it until one can be told. */
  tell(text: string, method: string): void {
    const stream = this.#gate.wait() === undefined ? this.#streams.at(-1) : undefined;
    if (stream !== undefined) stream.push(text);
    else this.#waiting.add(text, method);
  }

  /** Tells the newest what has waited. */
  tellWaiting(): void {
    const stream = this.#streams.at(-1);
    if (stream === undefined) return;
    for (const text of this.#waiting.take()) stream.push(text);
  }

  /** Ends those that there are. */
  end(): void {
    for (const stream of [...this.#streams]) stream.end();
  }

  /** Lets go what waits. */
  forgetWaiting(): void {
    this.#waiting.take();
  }
}
