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

/** One stream. */
interface GetStream {
  readonly body: EventBody;
  /** Closed while it is not read: what comes then has to wait. */
  readonly gate: Gate;
}

/** Streams for what the server says by itself. The newest is told. */
export class GetStreams {
  readonly #clock: Clock;
  readonly #waiting: Waiting;
  readonly #streams: GetStream[] = [];

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
    // Also where it opens because the stream is over: what waits for it is for another one.
    const gate = new Gate(() => this.tellWaiting());
    // Nobody else waits behind a reader that does not read.
    const alone = { patienceMs: IDLE_MS, othersWait: () => false };
    const flow = new Flow({ clock, ...alone, ...gate.levers });
    const body = new EventBody({ clock, streamIdleMs: IDLE_MS, flow }, () => {
      this.#streams.splice(this.#streams.indexOf(stream), 1);
      onOver();
    });
    const stream = { body, gate };
    this.#streams.push(stream);
    return body;
  }

  /** Tells the newest a message of this method, or keeps it until one can be told. */
  tell(text: string, method: string): void {
    const body = this.#told;
    if (body !== undefined && this.#waiting.size === 0) return body.push(text);
    // Behind what has waited longer.
    this.#waiting.add(text, method);
    this.tellWaiting();
  }

  /** Tells the newest what has waited. */
  tellWaiting(): void {
    const body = this.#told;
    if (body === undefined) return;
    for (const text of this.#waiting.take()) body.push(text);
  }

  /** Ends those that there are. */
  end(): void {
    for (const { body } of [...this.#streams]) body.end();
  }

  /** Lets go what waits. */
  forgetWaiting(): void {
    this.#waiting.take();
  }

  /** The newest one, where it is read. */
  get #told(): EventBody | undefined {
    const newest = this.#streams.findLast(({ body }) => !body.isOver);
    return newest?.gate.wait() === undefined ? newest?.body : undefined;
  }
}
