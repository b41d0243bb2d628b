/**
 * Opening an upstream stream again, with the last event id that came.
 *
 * Source: 2025-11-25 basic/transports, "Resumability and Redelivery"; R57, R58, R69, R89.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { isStop, ProxyError, toProxyError } from "../errors.ts";
import type { UpstreamAnswer, UpstreamBody } from "../upstream/mod.ts";
import { type BackOff, delayBefore, Polls } from "./back_off.ts";

/** What reconnecting needs. */
export interface ReconnectOptions {
  /** Time and randomness. */
  readonly clock: Clock;
  /** Bounds. */
  readonly backOff: BackOff;
  /**
   * GET with this `Last-Event-ID`, or without one; `ids` says how many have come so far. Two that are the same
   * by their letters may be of two sessions, in each of which a server counts anew.
   */
  readonly listen: (lastEventId: string | undefined, ids: number) => Promise<UpstreamAnswer>;
  /**
   * Whether the stream has no end of its own, so that the server, or who stands before it, may close it
   * whenever it is silent: attempts are counted anew once it was opened, and only the waits grow.
   */
  readonly standing?: boolean | undefined;
  /** Told when the upstream does not know the session any more. */
  readonly onSessionGone: () => void;
}

/** Statuses with which a server may refuse now what it takes later. */
const LATER: ReadonlySet<number> = new Set([409, 425, 429, 500, 502, 503, 504]);

/** The attempts for one stream. */
export class Reconnect {
  readonly #options: ReconnectOptions;
  /** Attempts without an event in between: each may wait longer than the one before. */
  #attempt = 0;
  /** Those of them that count against the most there may be. */
  #counted = 0;
  #ids = 0;
  #openedMs = Infinity;
  readonly #polls: Polls;
  #stop: (() => void) | undefined;
  #sessionGone = false;

  /** No attempt was made yet. */
  constructor(options: ReconnectOptions) {
    this.#options = options;
    this.#polls = new Polls(options.backOff);
  }

  /** Something came, event ids among it or not: the next break is a new one. */
  delivered(withIds = false): void {
    this.#attempt = this.#counted = 0;
    this.#polls.delivered();
    if (withIds) this.#ids++;
  }

  /** The client has been told of a failure; what it means for the session follows. */
  failed(): void {
    if (this.#sessionGone) this.#options.onSessionGone();
  }

  /** Ends a wait. */
  stop(): void {
    this.#stop?.();
  }

  /**
   * The body of the stream that goes on behind `lastEventId`, after a wait; undefined where it is not
   * wanted any more.
   *
   * @param endedWell whether the server has ended its connection as it should. Where it has said behind which
   * event it goes on, it wants to be polled, and was: attempts are counted anew, and time is the bound.
   * @throws {ProxyError} when the upstream does not take it up again; `upstream_timeout` when it was polled for
   * too long
   */
  async after(
    lastEventId: string | undefined,
    retryMs: number | undefined,
    isOver: () => boolean,
    endedWell = false,
  ): Promise<UpstreamBody | undefined> {
    const { clock, backOff, standing } = this.#options;
    // One that may be closed whenever it is silent is not polled for an answer.
    const isPoll = endedWell && lastEventId !== undefined && standing !== true;
    if (isPoll && backOff.attempts > 0) return await this.#poll(lastEventId, retryMs, isOver);
    // One that was open for long may have had nothing to say.
    if (clock.monotonicMs() - this.#openedMs >= backOff.maxDelayMs) {
      this.#attempt = this.#counted = 0;
    }
    return await this.#tryOn(lastEventId, retryMs, isOver);
  }

  /** Makes the attempts that are left, behind one that has failed where there was one. */
  async #tryOn(
    lastEventId: string | undefined,
    retryMs: number | undefined,
    isOver: () => boolean,
    failure?: ProxyError,
  ): Promise<UpstreamBody | undefined> {
    const { clock, backOff } = this.#options;
    while (this.#counted < backOff.attempts) {
      // It may have been stopped while it was opened.
      if (isOver()) return undefined;
      const random = clock.randomBytes(1)[0]! / 256;
      this.#counted++;
      await this.#wait(delayBefore(this.#attempt++, retryMs, random, backOff));
      if (isOver()) return undefined;
      const opened = await this.#open(lastEventId);
      if (!(opened instanceof ProxyError)) return opened;
      if (!opened.retrySafe) throw opened;
      failure = opened;
    }
    throw failure ?? gone("and was not asked for the rest of it");
  }

  /** The same at once, and with waits where that fails: for a client that has waited itself. */
  async again(
    lastEventId: string | undefined,
    retryMs: number | undefined,
    isOver: () => boolean,
  ): Promise<UpstreamBody | undefined> {
    const opened = await this.#open(lastEventId);
    if (!(opened instanceof ProxyError)) return opened;
    if (!opened.retrySafe) throw opened;
    return await this.after(lastEventId, retryMs, isOver);
  }

  async #poll(
    lastEventId: string,
    retryMs: number | undefined,
    isOver: () => boolean,
  ): Promise<UpstreamBody | undefined> {
    const { clock } = this.#options;
    this.#attempt = this.#counted = 0;
    const random = clock.randomBytes(1)[0]! / 256;
    if (isOver()) return undefined;
    await this.#wait(this.#polls.delay(clock.monotonicMs(), retryMs, random));
    if (isOver()) return undefined;
    const opened = await this.#open(lastEventId);
    if (!(opened instanceof ProxyError)) return opened;
    if (!opened.retrySafe) throw opened;
    this.#attempt = this.#counted = 1;
    return await this.#tryOn(lastEventId, retryMs, isOver, opened);
  }

  async #open(lastEventId: string | undefined): Promise<UpstreamBody | ProxyError> {
    let answer: UpstreamAnswer;
    try {
      answer = await this.#options.listen(lastEventId, this.#ids);
    } catch (error) {
      if (isStop(error)) throw error;
      const { message } = toProxyError(error);
      return new ProxyError("upstream_unreachable", message, { cause: error });
    }
    const { status, kind, body } = answer;
    if (status === 200 && kind === "sse") {
      this.#openedMs = this.#options.clock.monotonicMs();
      if (this.#options.standing) this.#counted = 0;
      return body;
    }
    body.discard();
    if (LATER.has(status)) {
      const sentence =
        `The upstream server answers ${status} when asked for the rest of its stream.`;
      return new ProxyError("upstream_unreachable", sentence);
    }
    this.#sessionGone = status === 404;
    return gone(`and answers ${status} when asked for the rest of it`);
  }

  async #wait(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(delayMs, resolve);
      this.#stop = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#stop = undefined;
  }
}

function gone(how: string): ProxyError {
  return new ProxyError("upstream_closed", `The upstream server broke its stream off ${how}.`);
}
