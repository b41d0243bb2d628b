/**
 * One request of the client, or a batch with one: sent once, and answered on stdout whatever happens.
 *
 * @module
 */

import { errorBody, ProxyError, toProxyError } from "../errors.ts";
import type { Bytes, ClientAnswer } from "../http/mod.ts";
import type { Message, ParsedBody } from "../json/mod.ts";
import { delayBefore, pause, Polls } from "../relay/mod.ts";
import { headerForm, isRecord, type Key, keyOf, kindOf, type RpcText, textAt } from "../rpc/mod.ts";
import { discard, isStream, messagesOf, type StreamPlace } from "./answer_reader.ts";
import type { Caller, FieldList } from "./caller.ts";
import { type ClientSession, saysLost } from "./client_session.ts";
import { isModern, messagesIn, modernFields } from "./fields.ts";
import type { StdioFrontOptions } from "./options.ts";
import type { ParamFields } from "./param_fields.ts";

const LISTEN = "subscriptions/listen";

/** What requests work with. */
export interface AskingOptions extends Pick<StdioFrontOptions, "maxMessageBytes" | "backOff"> {
  /** Time and randomness. */
  readonly clock: StdioFrontOptions["clock"];
  /** Where failures are told. */
  readonly logger: StdioFrontOptions["logger"];
  /** Makes requests. */
  readonly caller: Caller;
  /** The session of the client. */
  readonly session: ClientSession;
  /** The fields of arguments that tools have mirrored. */
  readonly params: ParamFields;
  /** Takes each message for the client; whoever reads slowly holds the answer back. */
  readonly take: (text: string) => Promise<void>;
}

/** What reading one answer has come to. */
interface Reading {
  /** Whether anything was said in it. */
  readonly hasSpoken: boolean;
  /** Whether it ended as it should. */
  readonly endedWell: boolean;
}

const REFUSED: Reading = { hasSpoken: false, endedWell: false };

/** A request under way. */
export class Asking {
  /** Whether it belongs to 2026-07-28 or later. */
  readonly isModern: boolean;
  /** Whether its answer has no end of its own. */
  readonly isSubscription: boolean;
  readonly #options: AskingOptions;
  readonly #bytes: Bytes;
  readonly #first: Message;
  /** Its requests without a response: the texts of their ids by their keys. */
  readonly #unanswered = new Map<Key, string>();
  readonly #control = new AbortController();

  /** A body with at least one request. */
  constructor(options: AskingOptions, { messages }: ParsedBody, bytes: Bytes) {
    this.#options = options;
    this.#bytes = bytes;
    this.#first = messages[0]!;
    this.isModern = isModern(this.#first);
    this.isSubscription = this.isModern && this.#first.method === LISTEN;
    for (const { kind, idText } of messages) {
      if (kind === "request") this.#unanswered.set(keyOf(idText)!, idText!);
    }
  }

  /** Whether it opens a session. */
  get isInitialize(): boolean {
    return !this.isModern && this.#first.method === "initialize";
  }

  /** Whether a request with this id in it has no response yet. */
  awaits(key: Key | undefined): boolean {
    return key !== undefined && this.#unanswered.has(key);
  }

  /** Nobody waits for it any more: in 2026-07-28 this cancels it. */
  giveUp(): void {
    this.#control.abort();
  }

  /** Sends it and hands out all that comes; resolves when that is over. Never rejects. */
  async run(): Promise<void> {
    try {
      await this.#deliver(await this.#send());
    } catch (error) {
      await this.#fail(toProxyError(error));
    }
  }

  /** Refuses what was not sent. */
  async refuse(error: ProxyError): Promise<void> {
    await this.#fail(error);
  }

  async #send(): Promise<ClientAnswer> {
    if (this.isModern) return await this.#sendModern();
    const { caller, session } = this.#options;
    const { signal } = this.#control;
    if (this.isInitialize) {
      const answer = await caller.post(this.#bytes, [], signal);
      if (answer.status === 200) session.opened(this.#bytes, answer);
      return answer;
    }
    const { generation } = session;
    const answer = await caller.post(this.#bytes, session.fields, signal);
    if (!saysLost(answer, session)) return answer;
    discard(answer);
    // A request in a session that is not known has not run.
    await session.renew(generation);
    return await caller.post(this.#bytes, session.fields, signal);
  }

  async #sendModern(): Promise<ClientAnswer> {
    const { caller, params } = this.#options;
    const { signal } = this.#control;
    const post = (fields: FieldList) => caller.post(this.#bytes, fields, signal);
    const fields = modernFields(this.#first);
    const answer = await post([...fields, ...params.of(this.#first)]);
    if (answer.status !== 400 || this.#first.method !== "tools/call") return answer;
    return await params.corrected(
      answer,
      this.#first,
      (more) => post([...fields, ...more]),
      signal,
    );
  }

  async #deliver(answer: ClientAnswer): Promise<void> {
    const place: StreamPlace = { lastEventId: undefined, retryMs: undefined };
    const { backOff, clock } = this.#options;
    const polls = new Polls(backOff);
    let read = await this.#read(answer, place);
    for (let failures = 0; this.#mayResume(place) && failures < backOff.attempts;) {
      const random = clock.randomBytes(1)[0]! / 256;
      const delayMs = read.endedWell
        ? polls.delay(clock.monotonicMs(), place.retryMs, random)
        : delayBefore(failures, place.retryMs, random, backOff);
      await pause(clock, delayMs, this.#control.signal);
      if (this.#control.signal.aborted) return;
      read = await this.#resume(place);
      if (read.hasSpoken) polls.delivered();
      // Something that came makes the next break a new one; a poll that was answered is no failure.
      failures = read.hasSpoken || read.endedWell ? 0 : failures + 1;
    }
    if (this.#unanswered.size > 0) throw this.#unansweredError(answer);
  }

  /** Reads an answer to its end, or to the last response. */
  async #read(answer: ClientAnswer, place: StreamPlace): Promise<Reading> {
    const { lastEventId } = place;
    let hasSpoken = false;
    let endedWell = true;
    try {
      for await (const text of messagesOf(answer, place, this.#options.maxMessageBytes)) {
        hasSpoken = true;
        await this.#take(text, answer);
        if (this.#unanswered.size === 0) break;
      }
    } catch (error) {
      if (!this.#mayResume(place)) throw error;
      endedWell = false;
    }
    return { hasSpoken: hasSpoken || place.lastEventId !== lastEventId, endedWell };
  }

  /** A stream of the session era with event ids is taken up again by GET. */
  #mayResume({ lastEventId }: StreamPlace): boolean {
    return !this.isModern && lastEventId !== undefined && this.#unanswered.size > 0 &&
      !this.#control.signal.aborted;
  }

  async #resume(place: StreamPlace): Promise<Reading> {
    const { caller, session } = this.#options;
    const fields = [...session.fields, "last-event-id", headerForm(place.lastEventId!)];
    const answer = await caller.get(fields, this.#control.signal);
    if (answer.status === 200 && isStream(answer)) return await this.#read(answer, place);
    discard(answer);
    if (answer.status < 500) place.lastEventId = undefined;
    return REFUSED;
  }

  async #take(text: string, answer: ClientAnswer): Promise<void> {
    if (this.#control.signal.aborted) return;
    const body = messagesIn(text);
    if (body === undefined || (answer.status >= 400 && !body.messages.some(isResponse))) {
      throw this.#statusError(answer);
    }
    if (isTold(answer.status)) this.#tellRefusal(answer.status);
    for (const message of body.messages) if (isResponse(message)) this.#answered(message);
    await this.#options.take(answer.status < 400 ? text : this.#named(body.messages[0]!));
  }

  #answered(message: RpcText): void {
    const { session, params } = this.#options;
    const isResult = isRecord(message.value.result);
    const wasAwaited = this.#unanswered.delete(keyOf(textAt(message, ["id"])) ?? "");
    if (!isResult || !wasAwaited) return;
    if (this.isModern) params.learn(this.#first, message.value.result);
    else session.learn(this.#first, this.#bytes, message.value.result);
  }

  #tellRefusal(status: number): void {
    this.#options.logger.warn("a request was refused", { method: this.#first.method, status });
  }

  /** A refusal with the id of the one request that it can be about. */
  #named(message: RpcText): string {
    const idText = textAt(message, ["id"]);
    const isNameless = idText === undefined || idText === "null";
    if (!isNameless || this.#unanswered.size !== 1) return message.text;
    const [only] = this.#unanswered.values();
    this.#unanswered.clear();
    return `{"jsonrpc":"2.0","id":${only},"error":${textAt(message, ["error"])}}`;
  }

  async #fail(error: ProxyError): Promise<void> {
    const { logger, take } = this.#options;
    if (this.#control.signal.aborted) return;
    if (error.source !== "client") {
      logger.warn("a request could not be answered", { method: this.#first.method, error });
    }
    for (const idText of this.#unanswered.values()) await take(this.#ending(error, idText));
    this.#unanswered.clear();
  }

  /**
   * What a client is told that gets no response. On stdio a server says so where a subscription was open and
   * has ended (2026-07-28 basic/patterns/cancellation).
   */
  #ending(error: ProxyError, idText: string): string {
    if (!this.isSubscription || error.kind === "upstream_saturated") {
      return errorBody(error.withId(idText));
    }
    const params = `{"requestId":${idText},"reason":${JSON.stringify(error.message)}}`;
    return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`;
  }

  #statusError({ status }: ClientAnswer): ProxyError {
    if (status < 400) {
      const sentence = "The upstream server answered with something else than a message.";
      return new ProxyError("upstream_protocol", sentence);
    }
    const sentence = `The upstream server refused the request with HTTP status ${status}.`;
    return new ProxyError("upstream_status", sentence);
  }

  #unansweredError(answer: ClientAnswer): ProxyError {
    if (answer.status >= 400) return this.#statusError(answer);
    const sentence = "The answer of the upstream server ended without a response.";
    return new ProxyError("upstream_closed", sentence);
  }
}

/** Whether somebody may have to do something about an answer with this status. */
function isTold(status: number): boolean {
  return [401, 403, 429].includes(status) || status >= 500;
}

function isResponse(message: RpcText): boolean {
  return kindOf(message) === "response";
}
