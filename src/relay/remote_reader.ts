/**
 * A reader of a stream who sits at another instance: it reads the log by itself, and is told how far the
 * log has come.
 *
 * @module
 */

import type { Timer } from "../clock.ts";
import type { ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import type { Reader, ReaderEvents } from "./attachment.ts";
import type { RelayLimits } from "./limits.ts";
import type { PeerWord } from "./stream_directory.ts";

/** A follower that has said nothing for so long has gone, in milliseconds. */
export const FOLLOWER_SILENCE_MS = 15_000;

/** What such a reader takes. */
export interface RemoteReaderOptions {
  /** The stream that it reads. */
  readonly events: ReaderEvents;
  /** How far ahead of it the log may come. */
  readonly limits: RelayLimits;
  /** Number of the event behind which it reads. */
  readonly seq: number;
  /** Tells the follower. */
  readonly say: (word: PeerWord) => void;
}

/** One follower. */
export class RemoteReader implements Reader {
  /** See `Reader`. */
  readonly readsLog = true;
  readonly #options: RemoteReaderOptions;
  #upTo: number;
  #taken: number;
  /** What was pushed and not taken yet: up to which event, and how many bytes. */
  #ahead: { readonly upTo: number; readonly bytes: number }[] = [];
  #aheadBytes = 0;
  #silence: Timer | undefined;
  /** What the follower was told when it was over. */
  #closed: PeerWord | undefined;

  /** A follower that has just asked. */
  constructor(options: RemoteReaderOptions) {
    this.#options = options;
    this.#upTo = this.#taken = options.seq;
    this.#listen();
  }

  /** See `Reader`. */
  get full(): boolean {
    const { maxAheadBytes, maxAheadEvents } = this.#options.limits;
    return this.#aheadBytes >= maxAheadBytes || this.#upTo - this.#taken >= maxAheadEvents;
  }

  /** See `Reader`. */
  get taken(): number {
    return this.#taken;
  }

  /** The follower keeps its client's connection alive by itself. */
  quiet(): boolean {
    return false;
  }

  /** See `Reader`; the follower finds the bytes in the log. */
  push(bytes: Bytes, seq = this.#upTo): void {
    if (this.#closed !== undefined || seq <= this.#upTo) return;
    this.#upTo = seq;
    this.#ahead.push({ upTo: seq, bytes: bytes.length });
    this.#aheadBytes += bytes.length;
    this.#options.say({ say: "more", upTo: seq });
  }

  /** The log has come up to `seq` before it asked. */
  announce(seq: number): void {
    this.#upTo = Math.max(this.#upTo, seq);
  }

  /** See `Reader`. */
  finish(failure?: ProxyError): void {
    if (this.#closed === undefined) this.#close(failure?.message ?? null);
  }

  /** The follower's client has taken everything up to `seq`, and is there. */
  took(seq: number): void {
    if (this.#closed === undefined) this.#listen();
    this.#note(seq);
    // What it was told may have been lost on the way.
    if (this.#closed !== undefined) this.#options.say(this.#closed);
    else if (this.#taken < this.#upTo) this.#options.say({ say: "more", upTo: this.#upTo });
    this.#options.events.drained(this);
  }

  /** The follower's client has gone; also behind the end it may have had something left to take. */
  leave(seq: number): void {
    this.#note(seq);
    this.#options.events.drained(this);
    if (this.#closed !== undefined) return;
    this.#closed = { say: "close", upTo: this.#upTo, broken: null };
    this.#silence?.cancel();
    this.#options.events.left(this);
  }

  #note(seq: number): void {
    this.#taken = Math.max(this.#taken, Math.min(seq, this.#upTo));
    while (this.#ahead.length > 0 && this.#ahead[0]!.upTo <= this.#taken) {
      this.#aheadBytes -= this.#ahead.shift()!.bytes;
    }
  }

  #listen(): void {
    this.#silence?.cancel();
    this.#silence = this.#options.limits.clock.after(FOLLOWER_SILENCE_MS, () => {
      this.#close(
        "Nothing was heard for long from the instance of the proxy that this came through.",
      );
      this.#options.events.left(this);
    });
  }

  #close(broken: string | null): void {
    this.#closed = { say: "close", upTo: this.#upTo, broken };
    this.#silence?.cancel();
    this.#options.say(this.#closed);
  }
}
