/**
 * The messages of one client of HTTP+SSE that are under way, and what becomes of those that it does not want
 * answered any more.
 *
 * @module
 */

import type { CancelSignal, ClientAnswer, FieldReader } from "../http/mod.ts";
import type { Message } from "../json/mod.ts";
import { decode, keyOf, readBody, textAt } from "../rpc/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";

const REQUEST_ID = ["params", "requestId"];

/** What a message has come as. */
export interface SseArrival {
  /** The message as the client sent it. */
  readonly message: Message;
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** The header fields of its POST. */
  readonly headers: FieldReader;
  /** Answers its POST: with a refusal, or as taken; false where it was answered before. Left out where that is done. */
  readonly decide?: ((refused?: ClientAnswer) => boolean) | undefined;
}

/** A message on its way to the upstream, until its answer is with the client. */
export class SseMessage {
  /** What it has come as. */
  readonly arrival: SseArrival;
  readonly #control = new AbortController();
  #body: UpstreamBody | undefined;
  #cancelled = false;
  #answered = false;
  /** Whether its client has cancelled it, and the upstream is being told. */
  unwanted = false;

  /** One that nothing was done with yet. */
  constructor(arrival: SseArrival) {
    this.arrival = arrival;
  }

  /** Aborted when nobody waits for the answer any more. */
  get signal(): CancelSignal {
    return this.#control.signal;
  }

  /** Whether its answer is with the client, although the upstream's stream goes on. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Whether an answer to it is still owed. */
  get isPending(): boolean {
    return this.arrival.message.kind === "request" && !this.#cancelled && !this.#answered;
  }

  /** Whether its client has taken it back. */
  get isTakenBack(): boolean {
    return this.#cancelled || this.unwanted;
  }

  /** The answer that is being read is this one. */
  reading(body: UpstreamBody): void {
    this.#body = body;
  }

  /** Its answer is with the client. */
  answer(): void {
    this.#answered = true;
  }

  /** Nobody waits for it any more. */
  giveUp(): void {
    this.#cancelled = true;
    this.#control.abort();
    this.#body?.discard();
  }
}

/** Those of one client. */
export class SseMessages {
  readonly #all = new Set<SseMessage>();

  /** Those that an answer is still owed to. */
  get pending(): SseMessage[] {
    return [...this.#all].filter(({ isPending }) => isPending);
  }

  /** One more. */
  add(arrival: SseArrival): SseMessage {
    const one = new SseMessage(arrival);
    this.#all.add(one);
    return one;
  }

  /** That one is seen to. */
  delete(one: SseMessage): void {
    this.#all.delete(one);
  }

  /** The answer to the request that `cancellation` names is not wanted any more, until what this gives is called. */
  unwanted(cancellation: Uint8Array): () => void {
    const found = this.#pendingIn(cancellation);
    for (const one of found) one.unwanted = true;
    return () => found.forEach((one) => one.unwanted = false);
  }

  /** The answer to the request that `cancellation` names is not wanted any more, for good. */
  cancelled(cancellation: Uint8Array): void {
    for (const one of this.#pendingIn(cancellation)) one.giveUp();
  }

  /** Reads no further where the answer is with the client. */
  giveUpAnswered(): void {
    for (const one of this.#all) if (one.answered) one.giveUp();
  }

  /** Whoever cancels may spell the id in another way, and numbers that are too large to be exact are told apart (R24). */
  #pendingIn(cancellation: Uint8Array): SseMessage[] {
    const [message] = readBody(decode(cancellation))?.messages ?? [];
    const key = keyOf(message && textAt(message, REQUEST_ID));
    if (key === undefined) return [];
    return this.pending.filter(({ arrival }) => keyOf(arrival.message.idText) === key);
  }
}
