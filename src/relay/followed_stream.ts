/**
 * A stream that another instance holds, for a client that has come here: what is in the log, as far as the
 * holder says that it goes.
 *
 * @module
 */

import type { Timer } from "../clock.ts";
import { ProxyError, toProxyError } from "../errors.ts";
import type { EventLog } from "../event_log/mod.ts";
import { lostAnswers } from "./answers.ts";
import { Attachment, HIGH_WATER_BYTES } from "./attachment.ts";
import { keepAlive } from "./keep_alive.ts";
import { gapNotice } from "./notices.ts";
import type { RelayLimits } from "./limits.ts";
import type { LiveStream } from "./live_streams.ts";
import type { PeerWord, StreamMark } from "./stream_directory.ts";
import type { StreamTraffic } from "./traffic.ts";
import { Waiting } from "./waiting.ts";

/** How often the holder is told that the client is still there, in milliseconds. */
export const STILL_THERE_MS = 5_000;

/** What following takes. */
export interface FollowedStreamOptions {
  /** Its name. */
  readonly name: string;
  /** Where its events are. */
  readonly log: EventLog;
  /** Bounds, and time. */
  readonly limits: RelayLimits;
  /** Counts what the client takes, as long as there is no heir, which counts by itself. */
  readonly traffic: StreamTraffic;
  /** Where the answers on it are, as its mark says. */
  readonly answered: () => Promise<StreamMark["answered"]>;
  /** Tells the holder. */
  readonly say: (word: PeerWord) => void;
  /**
   * Asked now and then: whether the holder runs. If not, what goes on with the stream behind an event, here
   * or at yet another instance; undefined where nothing does.
   */
  readonly goOn: (seq: number) => Promise<"running" | Attachment | undefined>;
  /** Told once when it is over. */
  readonly onOver: (stream: FollowedStream) => void;
}

/** A stream held elsewhere. */
export class FollowedStream implements LiveStream {
  readonly #options: FollowedStreamOptions;
  readonly #attachment: Attachment;
  readonly #keepAlive: Timer;
  #still: Timer | undefined;
  /** Number of the newest event that was handed to the client. */
  #at = 0;
  #upTo = 0;
  /** How the holder wants it closed. */
  #close: { readonly broken: string | null } | undefined;
  #over = false;
  #pumping = false;
  readonly #waiting = new Waiting();
  /** What it goes on with when the holder has gone. */
  #heir: Attachment | undefined;

  /** A stream that the holder has agreed to have followed behind `seq`. */
  constructor(options: FollowedStreamOptions, seq: number, upTo: number) {
    this.#options = options;
    this.#at = seq;
    this.#upTo = upTo;
    const { limits: { clock, keepAliveMs }, traffic } = options;
    const events = { left: () => this.#left(), drained: () => this.#drained() };
    this.#attachment = new Attachment(events, traffic);
    this.#keepAlive = keepAlive(clock, keepAliveMs, this.#attachment);
    this.#stillThere();
    void this.#pump();
  }

  /** What the client reads. */
  get attachment(): Attachment {
    return this.#attachment;
  }

  /** Its name. */
  get name(): string {
    return this.#options.name;
  }

  /** See `LiveStream`. */
  get finished(): boolean {
    return this.#close !== undefined;
  }

  /** The holder says something. */
  hear(word: PeerWord): void {
    if (word.say === "more") this.#upTo = Math.max(this.#upTo, word.upTo);
    if (word.say === "close") {
      this.#upTo = Math.max(this.#upTo, word.upTo);
      // What comes later was said to one that is taken for gone.
      this.#close ??= word;
    }
    this.#waiting.stir();
  }

  /** See `LiveStream`. */
  end(): void {
    this.#finish();
  }

  /** See `LiveStream`. */
  release(failure: ProxyError): void {
    this.#finish(failure);
  }

  #left(): void {
    if (this.#over) return;
    this.#options.say({ say: "left", seq: this.#attachment.taken });
    this.#finish();
  }

  #finish(failure?: ProxyError): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.traffic.close();
    this.#still?.cancel();
    this.#keepAlive.cancel();
    this.#attachment.finish(failure);
    this.#heir?.discard();
    this.#waiting.stir();
    this.#options.onOver(this);
  }

  /** Also when it is over the client may have had something left to take. */
  #drained(): void {
    if (this.#heir === undefined) {
      this.#options.say({ say: this.#over ? "left" : "taken", seq: this.#attachment.taken });
    }
    this.#waiting.stir();
  }

  #until(condition: () => boolean): Promise<void> {
    return this.#waiting.until(() => this.#over || condition());
  }

  #stillThere(): void {
    this.#still = this.#options.limits.clock.after(STILL_THERE_MS, () => void this.#look());
  }

  /** Tells the holder that the client is there, and goes on without the holder where it has gone. */
  async #look(): Promise<void> {
    this.#options.say({ say: "taken", seq: this.#attachment.taken });
    try {
      const found = await this.#options.goOn(this.#at);
      if (this.#over) {
        if (found instanceof Attachment) found.discard();
        return;
      }
      if (found === "running") return this.#stillThere();
      if (found === undefined) return this.#finish(lost());
      this.#heir = found;
      this.#options.traffic.stop();
      this.#waiting.stir();
      await this.#passOn(found);
    } catch (error) {
      this.#finish(toProxyError(error));
    }
  }

  /** Gives the client what is in the log; never rejects. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#over && this.#heir === undefined) {
        if (this.#at < this.#upTo) await this.#readOn();
        else if (this.#close !== undefined) return this.#closed(this.#close.broken);
        await this.#until(() => this.#isReady() || this.#heir !== undefined);
      }
    } catch (error) {
      this.#finish(toProxyError(error));
    }
  }

  #isReady(): boolean {
    if (this.#attachment.full) return false;
    return this.#at < this.#upTo || this.#close !== undefined;
  }

  async #readOn(): Promise<void> {
    const { log, name } = this.#options;
    const upTo = this.#upTo;
    const { events } = await log.after(name, this.#at, HIGH_WATER_BYTES);
    if (this.#over || this.#heir !== undefined) return;
    // What lies behind `upTo` nobody has vouched for yet.
    const vouched = events.filter(({ seq }) => seq <= upTo);
    const last = vouched.at(-1)?.seq ?? upTo;
    if (last - this.#at !== vouched.length) {
      const answered = await this.#options.answered() ?? [];
      if (this.#over || this.#heir !== undefined) return;
      const lost = lostAnswers(answered, this.#at, last, vouched);
      this.#attachment.push(gapNotice(this.#at, last, lost));
    }
    for (const { seq, bytes } of vouched) this.#attachment.push(bytes, seq, 1);
    this.#at = last;
  }

  #closed(broken: string | null): void {
    this.#options.say({ say: "left", seq: this.#attachment.taken });
    this.#finish(broken === null ? undefined : new ProxyError("upstream_closed", broken));
  }

  /** Hands on what another attachment gives, as fast as the client reads. */
  async #passOn(from: Attachment): Promise<void> {
    for (;;) {
      const pieces = await from.next();
      if (this.#over) return;
      if (pieces === null) return this.#finish();
      for (const piece of pieces) this.#attachment.push(piece, from.taken);
      await this.#until(() => !this.#attachment.full);
    }
  }
}

function lost(): ProxyError {
  return new ProxyError(
    "upstream_closed",
    "The instance of the proxy that held this stream has gone; come back for the rest of it.",
  );
}
