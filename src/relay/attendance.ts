/**
 * Who reads an event stream: a client that goes away and comes back, here or at another instance, how far it has
 * read, and for how long it is waited for.
 *
 * Source: 2025-11-25 basic/transports, "Resumability and Redelivery"; R49, R54.
 *
 * @module
 */

import type { Timer } from "../clock.ts";
import { type ProxyError, toProxyError } from "../errors.ts";
import { EVENT_OVERHEAD_BYTES } from "../event_log/mod.ts";
import type { Bytes } from "../http/mod.ts";
import { Attachment, type Reader, type ReaderEvents } from "./attachment.ts";
import { type CatchingUp, catchUp } from "./catch_up.ts";
import { keepAlive } from "./keep_alive.ts";
import type { RelayLimits } from "./limits.ts";
import type { StreamTraffic } from "./traffic.ts";
import { Waiting } from "./waiting.ts";

/** What the attendance of a stream is kept with. */
export interface AttendanceOptions {
  /** Bounds, and time. */
  readonly limits: RelayLimits;
  /** Counts what clients take; left out where nobody asks. */
  readonly traffic?: StreamTraffic | undefined;
  /** Told when nobody reads it any more, or when somebody does again. */
  readonly onAttended: (attended: boolean) => void;
  /** Told when nobody has come back in time. */
  readonly onExpired: () => void;
}

/** The part of `CatchingUp` that is the stream's. */
export type Kept = Pick<CatchingUp, "newest" | "keeper" | "lost" | "missed">;

/** Who reads one stream: one reader at a time, until it is ended. */
export class Attendance {
  readonly #options: AttendanceOptions;
  readonly #waiting = new Waiting();
  #reader: Reader | undefined;
  /** Whether the client is still given what is in the log. */
  #behind = false;
  #keepAlive: Timer | undefined;
  #window: Timer | undefined;
  /** What the log counts of the events that came while nobody was there. */
  #aheadBytes = 0;
  #taken: number;
  #ended = false;

  /** Of a stream that nobody reads yet, of which a client has taken everything up to the event `taken`. */
  constructor(options: AttendanceOptions, taken: number) {
    this.#options = options;
    this.#taken = taken;
  }

  /** Whether a client reads it. */
  get attended(): boolean {
    return this.#reader !== undefined;
  }

  /** Whether it was ended, and with it the stream. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the client is still given what is in the log. */
  get behind(): boolean {
    return this.#behind;
  }

  /** Number of the newest event that a client has taken. */
  get taken(): number {
    return this.#taken;
  }

  /** A client begins to read; whoever read before reads no more. */
  attach(): Attachment {
    const attachment = new Attachment(this.#readerEvents(), this.#options.traffic);
    this.#attach(attachment);
    return attachment;
  }

  /** The same for one that has everything up to `seq` and is given what is in the log first. */
  resume(seq: number, kept: Kept, isFinished: () => boolean): Attachment {
    const attachment = this.attach();
    this.#behind = true;
    this.#took(seq);
    void this.#catchUp(attachment, seq, kept, isFinished);
    return attachment;
  }

  /** The same for one at another instance, which has everything up to `seq` and reads the log itself. */
  hand(seq: number, make: (events: ReaderEvents, seq: number) => Reader): void {
    this.#attach(make(this.#readerEvents(), seq));
    this.#took(seq);
  }

  /** Gives bytes to the client, unless it is not there or gets them from the log; see `Reader.push`. */
  give(bytes: Bytes, seq: number, events: number): void {
    const reader = this.#reader;
    if (reader === undefined || this.#behind) return;
    reader.push(bytes, seq, events);
    this.#took(reader.taken);
  }

  /** Gives bytes to whoever reads, whatever the log still has for it. */
  push(bytes: Bytes): void {
    this.#reader?.push(bytes);
  }

  /** Counts what the log has to hold for a client that is not there. */
  count(bytes: number, events: number): void {
    if (!this.attended) this.#aheadBytes += bytes + events * EVENT_OVERHEAD_BYTES;
  }

  /**
   * Whether the client has to read before more is taken from upstream (R49), or to come back before the log
   * would lose what it has not seen, the newest event being `newest`.
   */
  mustWait(newest: number): boolean {
    if (this.#reader !== undefined) return this.#behind || this.#reader.full;
    const { maxAheadBytes, maxAheadEvents } = this.#options.limits;
    return this.#aheadBytes >= maxAheadBytes || newest - this.#taken >= maxAheadEvents;
  }

  /** Settles when the condition holds, or when it is ended. */
  until(condition: () => boolean): Promise<void> {
    return this.#waiting.until(() => this.#ended || condition());
  }

  /** Settles when the client has everything up to `newest()`, also where it reads that in the log; or at the end. */
  caughtUp(newest: () => number): Promise<void> {
    const isRead = () => !this.#reader?.readsLog || this.#reader.taken >= newest();
    return this.until(() => !this.#behind && isRead());
  }

  /** Settles when the client, which is to come back for the rest, has done so; or at the end. */
  async returned(): Promise<void> {
    if (this.attended) {
      await this.until(() => !this.#behind);
      if (this.attended) this.dismiss();
    }
    await this.until(() => this.attended);
  }

  /** The client has got all there is. It may still have lost the last of it, and is waited for. */
  dismiss(failure?: ProxyError): void {
    this.#reader?.finish(failure);
    this.#unattended();
  }

  /** The stream breaks off for who reads it; whether anybody comes back is for others to say. */
  breakOff(failure: ProxyError): void {
    this.#reader?.finish(failure);
  }

  /** Nobody reads it any more, and nobody is waited for; who reads it sees it end, or break off with `failure`. */
  end(failure: ProxyError | undefined): void {
    this.#ended = true;
    this.#window?.cancel();
    this.#detach()?.finish(failure);
    this.#waiting.stir();
  }

  #readerEvents(): ReaderEvents {
    return { left: (left) => this.#left(left), drained: (by) => this.#drained(by) };
  }

  #attach(reader: Reader): void {
    this.#detach()?.finish();
    this.#window?.cancel();
    const { limits: { clock, keepAliveMs }, onAttended } = this.#options;
    this.#reader = reader;
    this.#aheadBytes = 0;
    this.#keepAlive = keepAlive(clock, keepAliveMs, reader);
    onAttended(true);
    this.#waiting.stir();
  }

  #detach(): Reader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#behind = false;
    this.#keepAlive?.cancel();
    return reader;
  }

  /** The client has gone: the stream goes on without it for a while. */
  #left(reader: Reader): void {
    if (reader === this.#reader) this.#unattended();
  }

  #unattended(): void {
    this.#detach();
    const { limits: { clock, resumeWindowMs }, onAttended, onExpired } = this.#options;
    this.#window = clock.after(resumeWindowMs, onExpired);
    onAttended(false);
    this.#waiting.stir();
  }

  /** Also one that is over may have had something left to take. */
  #drained(reader: Reader): void {
    this.#took(reader.taken);
    if (reader === this.#reader) this.#waiting.stir();
  }

  #took(seq: number): void {
    this.#taken = Math.max(this.#taken, seq);
  }

  /** Gives a client what is in the log behind `seq`; never rejects. */
  async #catchUp(
    attachment: Attachment,
    seq: number,
    kept: Kept,
    isFinished: () => boolean,
  ): Promise<void> {
    const isCurrent = () => attachment === this.#reader;
    try {
      await catchUp(seq, {
        ...kept,
        attachment,
        isCurrent,
        room: () => this.until(() => !attachment.full || !isCurrent()),
        done: () => this.#isThere(isFinished()),
      });
    } catch (error) {
      // What the log holds cannot be read now; the client may try again.
      if (isCurrent()) return this.dismiss(toProxyError(error));
    }
  }

  /** The client is given what comes as it comes. */
  #isThere(isFinished: boolean): void {
    this.#behind = false;
    if (isFinished) this.dismiss();
    this.#waiting.stir();
  }
}
