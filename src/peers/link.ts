/**
 * One end of a call: numbered messages to the other end, and the watch over its life.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { PeerCallBounds } from "./bounds.ts";
import type { InstanceMessages } from "./messages.ts";
import { MAX_MESSAGE_CHARACTERS, messageText, type Word } from "./words.ts";

/** What all calls of an instance work with. */
export interface CallContext {
  /** The other instances. */
  readonly messages: InstanceMessages;
  /** Time, whose timers are shared, and randomness. */
  readonly clock: Clock;
  /** Bounds. */
  readonly bounds: PeerCallBounds;
  /** Told of each message on its way, so that the last ones are waited for. */
  readonly sending: (sent: Promise<unknown>) => void;
}

/** What hears what the other end says. */
export interface CallEnd {
  /** Its link. */
  readonly link: Link;
  /** A message, the next one in order. */
  hear(word: Word): void;
  /** The proxy stops. */
  close(): void;
}

/** One end. */
export class Link {
  /** The name of the call. */
  readonly call: string;
  /** The other instance. */
  readonly peer: string;
  readonly #context: CallContext;
  readonly #onBroken: () => void;
  #said = 0;
  #heard = 0;
  #heardMs: number;
  #saidMs: number;
  #watched = false;
  #over = false;

  /** Nothing has been said. `onBroken` is called once where the other end cannot be spoken with any more. */
  constructor(context: CallContext, call: string, peer: string, onBroken: () => void) {
    this.#context = context;
    this.call = call;
    this.peer = peer;
    this.#onBroken = onBroken;
    this.#heardMs = this.#saidMs = context.clock.monotonicMs();
  }

  /** Says something and does not wait. */
  say(word: Word): void {
    if (this.#over) return;
    this.#saidMs = this.#context.clock.monotonicMs();
    const sent = this.sure(this.text(word)).then((heard) => {
      if (!heard) this.break();
    }, () => this.break());
    this.#context.sending(sent);
  }

  /** The text of the next message. */
  text(word: Word): string {
    const { instance: from } = this.#context.messages;
    return messageText({ call: this.call, from, number: this.#said++, word });
  }

  /** Sends a text. @returns whether the other end has heard it; @throws where nobody knows */
  async sure(text: string): Promise<boolean> {
    if (text.length > MAX_MESSAGE_CHARACTERS) throw new RangeError("The message is too long.");
    return await this.#context.messages.send(this.peer, text);
  }

  /** Whether a message of the other end is the next one; where it is not, some are lost, and the call with them. */
  isNext(number: number): boolean {
    this.#heardMs = this.#context.clock.monotonicMs();
    if (number === this.#heard++) return true;
    this.break();
    return false;
  }

  /** From now on the other end must not be silent for long. */
  watch(): void {
    this.#watched = true;
    this.#heardMs = this.#context.clock.monotonicMs();
  }

  /** Looks whether the other end is there, and gives a sign of life. */
  look(): void {
    if (!this.#watched) return;
    const { clock, bounds: { beatMs, silenceMs } } = this.#context;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#heardMs >= silenceMs) this.break();
    else if (nowMs - this.#saidMs >= beatMs / 2) this.say({ say: "beat" });
  }

  /** The other end cannot be spoken with any more. */
  break(): void {
    if (this.#over) return;
    this.#onBroken();
    this.#over = true;
  }

  /** Says nothing more. */
  end(): void {
    this.#over = true;
  }
}
