/**
 * The one subscription of a session at the server: opened while somebody wants it, opened anew where it
 * breaks, and exchanged for another where something else is wanted.
 *
 * Source: 2026-07-28 basic/patterns/subscriptions; R69.
 *
 * @module
 */

import type { Clock, Timer } from "../../clock.ts";
import { ProxyError, toProxyError } from "../../errors.ts";
import { type BackOff, delayBefore } from "../../relay/mod.ts";
import { missedChanges, type RpcText } from "../../rpc/mod.ts";
import type { ModernServer } from "./modern_call.ts";
import { Overlap } from "./overlap.ts";
import { legacyNotification } from "./results.ts";
import { type Filter, NoSubscriptions, type Subscriber, Subscription } from "./subscription.ts";

/** What listening works with. */
export interface ListeningOptions {
  /** Time and randomness. */
  readonly clock: Clock;
  /** The server. */
  readonly server: ModernServer;
  /** Bounds of opening it again. */
  readonly backOff: BackOff;
  /** Longest wait for an acknowledgment, in milliseconds. */
  readonly firstMessageMs: number;
  /** How long a subscription that was replaced is still read, in milliseconds. */
  readonly overlapMs: number;
  /** What is wanted now; undefined for nothing. */
  readonly wanted: () => Filter | undefined;
  /** Who subscribes. */
  readonly subscriber: () => Subscriber;
  /** Gets each message, in the words of the session era. */
  readonly deliver: (text: string, message: RpcText) => void;
  /** Told of each message that nobody has asked for, by its name. */
  readonly drop: (name: string) => void;
  /** Told when it cannot be had any more. */
  readonly onBroken: (error: ProxyError) => void;
}

/** The subscription of one session, or the want of one. */
export class Listening {
  readonly #options: ListeningOptions;
  #current: Subscription | undefined;
  #opening: Subscription | undefined;
  /** The one that was replaced, which is still read. */
  #replaced: { readonly subscription: Subscription; readonly timer: Timer } | undefined;
  #overlap: Overlap | undefined;
  /** The change under way, and the one that follows it for all who have asked meanwhile. */
  #changing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #serial = 0;
  #attempt = 0;
  #retry: Timer | undefined;
  /** What nobody was told of since the last subscription has ended, or one could not be had. */
  #missed: Filter | undefined;
  #unsupported = false;
  #ended = false;

  /** Nothing is subscribed to yet. */
  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  /** Whether there is a subscription now. */
  get isOpen(): boolean {
    return this.#current !== undefined;
  }

  /** Whether the server has said that it has no subscriptions. */
  get isUnsupported(): boolean {
    return this.#unsupported;
  }

  /** Whether the server has agreed to tell of updates of a resource. */
  honours(uri: string): boolean {
    return this.#current?.honours(uri) ?? false;
  }

  /**
   * Sees to it that what is wanted now is subscribed to.
   *
   * @throws {ProxyError} where it is not; then what was subscribed to stays
   */
  update(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#changing === undefined) return this.#begin();
    this.#next = this.#changing.catch(() => {}).then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    // Whoever asked hears of it.
    this.#next.catch(() => {});
    return this.#next;
  }

  /** The same for nobody who waits. */
  updateInTime(): void {
    this.update().catch(() => {
      // It is tried again.
    });
  }

  /** Ends it for good. */
  end(): void {
    this.#ended = true;
    this.#closeAll();
  }

  #begin(): Promise<void> {
    const changing = this.#change().finally(() => {
      if (this.#changing === changing) this.#changing = undefined;
    });
    this.#changing = changing;
    changing.catch(() => {});
    return changing;
  }

  async #change(): Promise<void> {
    if (this.#ended) throw gone();
    this.#retry?.cancel();
    const filter = this.#options.wanted();
    if (filter === undefined) return this.#closeAll();
    if (this.#unsupported) throw new NoSubscriptions();
    this.#endOverlap();
    const { clock, server, firstMessageMs, subscriber, drop } = this.#options;
    if (this.#current !== undefined) this.#overlap = new Overlap();
    const opening = new Subscription(filter, ++this.#serial, subscriber(), {
      clock,
      server,
      firstMessageMs,
      receive: (message, from) => this.#receive(message, from),
      drop,
      onOver: (from) => this.#over(from),
    });
    this.#opening = opening;
    try {
      await opening.acknowledged;
    } catch (error) {
      if (this.#opening === opening) this.#overlap = this.#opening = undefined;
      if (error instanceof NoSubscriptions) this.#unsupported = true;
      // Whoever listens does so already. What is subscribed to first is told of by its answer.
      if (this.#current === undefined) this.#missed ??= { lists: filter.lists, uris: [] };
      this.#again(toProxyError(error));
      throw error;
    }
    if (this.#opening !== opening) throw gone();
    this.#replaceBy(opening);
    this.#tellMissed(filter);
  }

  /** Nothing says what has changed while there was no subscription: it all may have. */
  #tellMissed({ uris }: Filter): void {
    const missed = this.#missed;
    this.#missed = undefined;
    if (missed === undefined) return;
    const wanted = missed.uris.filter((uri) => uris.includes(uri));
    for (const message of missedChanges(missed.lists, wanted)) {
      this.#options.deliver(message.text, message);
    }
  }

  /** From now on the newer one counts; of the older one comes what was on its way. */
  #replaceBy(opening: Subscription): void {
    const { clock, overlapMs } = this.#options;
    const older = this.#current;
    this.#current = opening;
    this.#opening = undefined;
    if (older === undefined) {
      this.#overlap = undefined;
      return;
    }
    const timer = clock.after(overlapMs, () => this.#endOverlap());
    this.#replaced = { subscription: older, timer };
  }

  #endOverlap(): void {
    this.#replaced?.timer.cancel();
    this.#replaced?.subscription.close();
    this.#replaced = undefined;
    this.#overlap = undefined;
  }

  #closeAll(): void {
    this.#retry?.cancel();
    this.#endOverlap();
    this.#current?.close();
    this.#opening?.close();
    this.#current = this.#opening = this.#missed = undefined;
  }

  #receive(message: RpcText, from: Subscription): void {
    const isOlder = from === this.#replaced?.subscription ||
      (from === this.#current && this.#opening !== undefined);
    this.#attempt = 0;
    const text = legacyNotification(message);
    if (this.#overlap?.passes(isOlder ? "older" : "newer", text) === false) return;
    const isGivenBack = isOlder && this.#replaced !== undefined &&
      this.#current?.wants(message) === false;
    if (!isGivenBack) this.#options.deliver(text, message);
  }

  #over(from: Subscription): void {
    if (from === this.#opening) this.#opening = undefined;
    if (from !== this.#current) return;
    const { clock, backOff } = this.#options;
    // One that was open for long may have had nothing to say.
    if (clock.monotonicMs() - from.openedMs >= backOff.maxDelayMs) this.#attempt = 0;
    this.#current = undefined;
    this.#missed = from.filter;
    // One that is being opened takes its place.
    if (this.#opening === undefined) this.#again();
  }

  /** Opens it once more after a wait, or gives it up. */
  #again(failure?: ProxyError): void {
    const { clock, backOff, onBroken } = this.#options;
    if (this.#ended || this.#current !== undefined) return;
    if (this.#unsupported || this.#attempt >= backOff.attempts) {
      this.#attempt = 0;
      const sentence = "The upstream server ended a subscription and does not take it up again.";
      return onBroken(failure ?? new ProxyError("upstream_closed", sentence));
    }
    const random = clock.randomBytes(1)[0]! / 256;
    const delayMs = delayBefore(this.#attempt++, undefined, random, backOff);
    this.#retry?.cancel();
    this.#retry = clock.after(delayMs, () => this.updateInTime());
  }
}

function gone(): ProxyError {
  return new ProxyError("client_closed", "The subscription has ended before it was there.");
}
