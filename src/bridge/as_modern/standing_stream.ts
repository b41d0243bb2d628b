/**
 * The stream of a session on which the server speaks first: opened once, and again where it breaks.
 *
 * Source: 2025-11-25 basic/transports, "Listening for Messages from the Server"; R57, R69, R89.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../../errors.ts";
import { Reconnect } from "../../relay/mod.ts";
import type { RpcText } from "../../rpc/mod.ts";
import type { UpstreamAnswer } from "../../upstream/mod.ts";
import { MessageSource } from "./message_source.ts";
import type { Settings } from "./options.ts";

/** What a standing stream works with, and what it tells. */
export interface StandingStreamOptions {
  /** Settings. */
  readonly settings: Settings;
  /** GET behind the event that is the last one when it is sent, or without one. */
  readonly listen: (lastEventId: () => string | undefined) => Promise<UpstreamAnswer>;
  /** Gets messages, all that came together. */
  readonly receive: (messages: readonly RpcText[]) => void;
  /** Told when it is open again and nobody knows what the server said meanwhile. */
  readonly onGap: () => void;
  /** Told when it has broken off for good. */
  readonly onBroken: (error: ProxyError) => void;
}

/** The stream, or the want of one. */
export class StandingStream {
  readonly #options: StandingStreamOptions;
  #run: { source: MessageSource | undefined; stopped: boolean } | undefined;
  #opening: Promise<boolean> | undefined;
  #refused = false;
  #ended = false;

  /** Not open yet. */
  constructor(options: StandingStreamOptions) {
    this.#options = options;
  }

  /** Opens it, once for all who ask; false where the server offers none. Never rejects. */
  open(): Promise<boolean> {
    if (this.#run?.source !== undefined) return Promise.resolve(true);
    if (this.#refused || this.#ended) return Promise.resolve(false);
    return this.#opening ??= this.#begin().finally(() => this.#opening = undefined);
  }

  /**
   * The same, but waits no longer than for the bound of it: some servers send no head ahead of the first
   * event. True where it is not known.
   */
  async openSoon(): Promise<boolean> {
    const { clock, bounds: { listenHeadMs } } = this.#options.settings;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = clock.after(listenHeadMs, () => resolve(true));
    this.open().then(resolve);
    try {
      return await promise;
    } finally {
      timer.cancel();
    }
  }

  /** The session is another one: opens it there, where it was open, and asks anew where it was refused. */
  restart(): void {
    this.#refused = false;
    const run = this.#run;
    // One that is being opened again finds the new session by itself.
    if (run?.source === undefined || !run.source.startAnew()) return;
    this.#stop();
    void this.#openAnew();
  }

  /** In the session that there is now: whoever is told on it hears that it was another, or that there is none. */
  async #openAnew(): Promise<void> {
    const { onBroken, onGap } = this.#options;
    this.open().then((isOpen) => {
      const sentence = "The upstream server does not go on with its stream in a new session.";
      if (!isOpen && !this.#ended) onBroken(new ProxyError("upstream_closed", sentence));
    });
    if (await this.openSoon() && !this.#ended) onGap();
  }

  /** Closes it for good. */
  end(): void {
    this.#ended = true;
    this.#stop();
  }

  #stop(): void {
    const run = this.#run;
    this.#run = undefined;
    if (run === undefined) return;
    run.stopped = true;
    run.source?.discard();
  }

  async #begin(): Promise<boolean> {
    const { settings: { clock, backOff, maxEventBytes }, listen, onGap } = this.#options;
    const run: { source: MessageSource | undefined; stopped: boolean } = {
      source: undefined,
      stopped: false,
    };
    this.#run = run;
    let answer: UpstreamAnswer;
    try {
      answer = await listen(() => undefined);
    } catch {
      // It is asked for again when somebody needs it; a request fails by itself where the server is away.
      return false;
    }
    if (run.stopped || answer.status !== 200 || answer.kind !== "sse") {
      answer.body.discard();
      this.#refused ||= answer.status === 405;
      return false;
    }
    const reconnect = new Reconnect({
      clock,
      backOff,
      // What was to be gone on behind may have been forgotten while it waited.
      listen: () => listen(() => run.source?.lastEventId),
      onSessionGone: () => {},
      standing: true,
    });
    const options = { maxEventBytes, reconnect, isStanding: true, onGap };
    run.source = new MessageSource(answer, options);
    void this.#read(run, run.source);
    return true;
  }

  /** Reads in the background, to the end of all attempts. */
  async #read(run: { stopped: boolean }, source: MessageSource): Promise<void> {
    try {
      for (let some = await source.next(); some !== undefined; some = await source.next()) {
        if (run.stopped) return;
        this.#options.receive(some);
      }
    } catch (error) {
      if (run.stopped) return;
      this.#run = undefined;
      source.discard();
      this.#options.onBroken(toProxyError(error));
    }
  }
}
