/**
 * The stream on which a server of the session era speaks first, for as long as the client is there.
 *
 * Source: 2025-11-25 basic/transports, "Listening for Messages from the Server" and "Resumability and
 * Redelivery".
 *
 * @module
 */

import { ProxyError, toProxyError } from "../errors.ts";
import type { ClientAnswer } from "../http/mod.ts";
import { delayBefore, pause } from "../relay/mod.ts";
import { headerForm } from "../rpc/mod.ts";
import { discard, isStream, messagesOf, type StreamPlace } from "./answer_reader.ts";
import type { Caller } from "./caller.ts";
import { type ClientSession, saysLost } from "./client_session.ts";
import { messagesIn } from "./fields.ts";
import type { StdioFrontOptions } from "./options.ts";

/** The longest row of failures that still makes the wait longer. */
const MAX_DOUBLINGS = 30;

/** What listening works with. */
export interface ListeningOptions
  extends Pick<StdioFrontOptions, "maxMessageBytes" | "backOff" | "clock" | "logger"> {
  /** Makes requests. */
  readonly caller: Caller;
  /** The session to listen in. */
  readonly session: ClientSession;
  /** Takes each message; whoever reads slowly holds the stream back. */
  readonly take: (text: string) => Promise<void>;
}

/** The GET stream of a client, opened again whenever it ends. */
export class Listening {
  readonly #options: ListeningOptions;
  #control: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Whether the session was made anew for this stream, which has not been open since. */
  #madeAnew = false;
  /** Whether the client has had it, so that it goes by what it is told. */
  #wasOpen = false;

  /** Not open yet. */
  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  /** Opens it in the session that the client has begun, in place of one that is open. */
  start(): void {
    this.#wasOpen = false;
    this.#start();
  }

  #start(): void {
    if (this.#stopped) return;
    this.#control?.abort();
    const control = new AbortController();
    this.#control = control;
    this.#running = this.#listen(control.signal);
  }

  /** Opens it in a session made anew, where it was open. */
  restart(): void {
    if (this.#control !== undefined) this.#start();
  }

  /** Closes it for good; resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#control?.abort();
    await this.#running;
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { session, backOff, clock, logger } = this.#options;
    const { generation } = session;
    const place: StreamPlace = { lastEventId: undefined, retryMs: undefined };
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const answer = await this.#open(place, signal);
        if (saysLost(answer, session) && !this.#madeAnew) {
          discard(answer);
          await this.#renew(generation);
          // The stream of the new session was begun with it.
          return;
        }
        if (isFinal(answer)) return discard(answer);
        if (await this.#read(answer, place)) attempt = 0;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn("the stream of the server broke off", { error: toProxyError(error) });
      }
      const random = clock.randomBytes(1)[0]! / 256;
      const doublings = Math.min(attempt, MAX_DOUBLINGS);
      await pause(clock, delayBefore(doublings, place.retryMs, random, backOff), signal);
    }
  }

  async #renew(generation: number): Promise<void> {
    this.#madeAnew = true;
    try {
      await this.#options.session.renew(generation);
    } catch (error) {
      this.#madeAnew = false;
      throw error;
    }
  }

  #open({ lastEventId }: StreamPlace, signal: AbortSignal): Promise<ClientAnswer> {
    const { caller, session } = this.#options;
    const resumed = lastEventId === undefined ? [] : ["last-event-id", headerForm(lastEventId)];
    return caller.get([...session.fields, ...resumed], signal);
  }

  /** Reads one answer to its end; whether anything was said in it. */
  async #read(answer: ClientAnswer, place: StreamPlace): Promise<boolean> {
    if (answer.status !== 200 || !isStream(answer)) {
      discard(answer);
      // Nothing is known there of what came last.
      if (answer.status === 400) place.lastEventId = undefined;
      const sentence = `The server answers ${answer.status} when asked for its stream.`;
      throw new ProxyError("upstream_status", sentence);
    }
    this.#madeAnew = false;
    const { session, take } = this.#options;
    // Behind no event nothing is given again: all may have changed.
    if (this.#wasOpen && place.lastEventId === undefined) {
      for (const { text } of session.missed) await take(text);
    }
    this.#wasOpen = true;
    let hasSpoken = false;
    for await (const text of messagesOf(answer, place, this.#options.maxMessageBytes)) {
      hasSpoken = true;
      if (messagesIn(text) !== undefined) await take(text);
      else this.#options.logger.warn("the server sent something else than a message");
    }
    return hasSpoken;
  }
}

/**
 * Whether the server offers no such stream: 405, or 404 where no session is lost, as there is none or it was
 * made anew for this stream (R89).
 */
function isFinal({ status }: ClientAnswer): boolean {
  return status === 405 || status === 404;
}
