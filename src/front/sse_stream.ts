/**
 * The one stream of a client of HTTP+SSE: a bounded queue into which all that is for the client is written.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import type { Bytes } from "../http/mod.ts";
import { Attachment, keepAlive, type StreamTraffic } from "../relay/mod.ts";
import { encodeEvents, type OutEvent } from "../sse/mod.ts";

/** How a stream is kept. */
export interface SseStreamOptions {
  /** Time; one whose timers are shared. */
  readonly clock: Clock;
  /** The longest silence, in milliseconds; 0 for any. */
  readonly keepAliveMs: number;
  /** Counts what the client takes. */
  readonly traffic: StreamTraffic;
  /** Told once when it is over, however it came to that. */
  readonly onOver: () => void;
}

/** A stream with one reader. */
export class SseStream {
  /** What the client reads; 64 KiB and one write may wait in it (R49). */
  readonly body: Attachment;
  readonly #keepAlive: Timer;
  #over = false;
  #waiting: (() => void)[] = [];

  /** A stream that is open. */
  constructor({ clock, keepAliveMs, traffic, onOver }: SseStreamOptions) {
    this.body = new Attachment({ left: () => {}, drained: () => this.#wake() }, traffic);
    this.#keepAlive = keepAlive(clock, keepAliveMs, this.body);
    this.body.whenOver(() => {
      this.#over = true;
      this.#keepAlive.cancel();
      traffic.close();
      this.#wake();
      onOver();
    });
  }

  /** Whether nothing more reaches the client. */
  get over(): boolean {
    return this.#over;
  }

  /** Resolves when the client has room, or has gone. Whoever reads for it reads nothing before. */
  async room(): Promise<void> {
    while (this.#isFull) await this.#wakened();
  }

  /** Writes events, in one piece, once there is room. */
  async send(events: readonly OutEvent[]): Promise<void> {
    if (events.length > 0) await this.write(encodeEvents(events), events.length);
  }

  /** Writes events that are encoded already. */
  async write(bytes: Bytes, events: number): Promise<void> {
    // Looked at and filled in one go: several may have waited for the same room.
    while (this.#isFull) await this.#wakened();
    this.body.push(bytes, undefined, events);
  }

  /** Writes an event whether there is room or not: for what is bounded otherwise. */
  sendNow(event: OutEvent): void {
    this.body.push(encodeEvents([event]), undefined, 1);
  }

  /** Ends it behind what waits. Harmless again. */
  end(): void {
    this.body.finish();
  }

  get #isFull(): boolean {
    return this.body.full && !this.#over;
  }

  #wakened(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    if (this.#isFull) return;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
