/**
 * One session of the bridge's own at the server: opened once (`session_opening.ts`), made anew when the server
 * has lost it, and ended.
 *
 * Sources: 2025-11-25 basic/transports "Session Management"; R66, R82.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import { type CancelSignal, type FieldReader, NEVER_ABORTED } from "../../http/mod.ts";
import { encode, type RpcText } from "../../rpc/mod.ts";
import { lookInto, mayBeLost, type UpstreamAnswer, type UpstreamCall } from "../../upstream/mod.ts";
import { responseIn } from "./responses.ts";
import {
  callIn,
  NEWEST_SESSION_REVISION,
  type OpeningOptions,
  openSession,
} from "./session_opening.ts";

/** What a session works with, and what it tells. */
export interface SessionWireOptions extends OpeningOptions {
  /** A new session stands in the place of a lost one; puts into it what that one had. */
  readonly onReplaced: () => Promise<void>;
}

/** A session, the same object whatever the server makes of it. */
export class SessionWire {
  readonly #options: SessionWireOptions;
  #id: string | undefined;
  #revision = NEWEST_SESSION_REVISION;
  #initialized = "{}";
  #serial = 0;
  #generation = 0;
  #opening: Promise<void> | undefined;
  #renewing: Promise<void> | undefined;

  /** A session that is not open yet. */
  constructor(options: SessionWireOptions) {
    this.#options = options;
  }

  /** Counts the sessions that there were, one after the other; 0 ahead of the first. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether the server keeps anything of it: one that gives no id has nothing to end or to lose. */
  get hasId(): boolean {
    return this.#id !== undefined;
  }

  /** The text of the server's `InitializeResult`. */
  get initialized(): string {
    return this.#initialized;
  }

  /** A number that no other id or token of this session has. */
  serial(): number {
    return ++this.#serial;
  }

  /**
   * Opens it, once for all who ask.
   *
   * @throws {SessionRefused} where the server will not have it
   * @throws {ProxyError} where the server could not be asked
   */
  open(): Promise<void> {
    return this.#opening ??= this.#initialize();
  }

  /**
   * Sends a request with this method; once more in a new session where the server has lost the old one: it
   * cannot have run.
   *
   * @param onSend called with the generation before each time it goes up
   * @throws {SessionRefused} where there is no new session to be had
   */
  exchange(
    method: string,
    { text, idText }: { readonly text: string; readonly idText: string },
    { headers, signal, sent, onFailed }: Pick<
      UpstreamCall,
      "headers" | "signal" | "sent" | "onFailed"
    >,
    onSend: (generation: number) => void,
  ): Promise<UpstreamAnswer> {
    return this.#recovering(() => {
      onSend(this.#generation);
      const call = { ...this.#call(headers, signal), method, sent, onFailed };
      return this.#options.server.exchange(call, encode(text));
    }, idText);
  }

  /** Sends what gets no answer, in the session of this generation; false where the server does not take it. */
  async notify(text: string, generation: number): Promise<boolean> {
    if (generation !== this.#generation) return false;
    const answer = await this.#options.server.notify(this.#call(), encode(text));
    answer.body.discard();
    return answer.status < 300;
  }

  /** Opens the stream on which the server speaks first. In a new session there is nothing to go on behind. */
  listen(lastEventId: () => string | undefined): Promise<UpstreamAnswer> {
    // By the time it is sent the session may be another one, of which no event has come.
    return this.#recovering(() => this.#listen(lastEventId(), NEVER_ABORTED));
  }

  /** Goes on with the answer to a request of this generation. */
  async resume(
    lastEventId: string | undefined,
    generation: number,
    signal: CancelSignal,
  ): Promise<UpstreamAnswer> {
    if (generation === this.#generation) return await this.#listen(lastEventId, signal);
    throw new ProxyError("upstream_closed", "The session of this answer has ended.");
  }

  /**
   * Asks something of the bridge's own; the response, whether it tells a result or an error.
   *
   * @param recovers whether a lost session is made anew: not while that is being done
   */
  async ask(method: string, params: unknown, recovers = true): Promise<RpcText> {
    const id = this.serial();
    const text = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    const send = () => this.#options.server.exchange({ ...this.#call(), method }, encode(text));
    const answer = await (recovers ? this.#recovering(send, `${id}`) : send());
    return await responseIn(answer, `${id}`, this.#options);
  }

  /** Ends it at the server, as far as it will. */
  async terminate(): Promise<void> {
    // What is being opened would be left open; how it went is told to whoever opens it.
    if (this.#generation === 0) await this.#opening?.catch(() => {});
    if (this.#renewing !== undefined) await this.#renewing.catch(() => {});
    if (this.#id === undefined) return;
    const answer = await this.#options.server.terminate(this.#call());
    answer.body.discard();
  }

  #listen(lastEventId: string | undefined, signal: CancelSignal): Promise<UpstreamAnswer> {
    const call = this.#call(this.#options.headers, signal);
    return this.#options.server.listen({ ...call, lastEventId: lastEventId ?? null });
  }

  #call(
    headers: FieldReader = this.#options.headers,
    signal: CancelSignal = NEVER_ABORTED,
  ): UpstreamCall {
    return callIn(this.#options, { id: this.#id, revision: this.#revision }, headers, signal);
  }

  async #initialize(): Promise<void> {
    const { id, revision, initialized } = await openSession(this.#options, `${this.serial()}`);
    this.#id = id;
    this.#revision = revision;
    this.#initialized = initialized;
    this.#generation++;
  }

  async #recovering(
    send: () => Promise<UpstreamAnswer>,
    idText?: string,
  ): Promise<UpstreamAnswer> {
    // How that went is told to whoever found the session lost.
    await this.#renewing?.catch(() => {});
    const generation = this.#generation;
    const { lost, answer } = await this.#look(await send(), idText);
    if (!lost) return answer;
    answer.body.discard();
    await this.#renew(generation);
    const again = await this.#look(await send(), idText);
    if (!again.lost) return again.answer;
    again.answer.body.discard();
    const sentence = "The upstream server forgets its sessions as soon as they are opened.";
    throw new ProxyError("upstream_protocol", sentence);
  }

  async #look(
    answer: UpstreamAnswer,
    idText?: string,
  ): Promise<{ lost: boolean; answer: UpstreamAnswer }> {
    // A server that has given no id may want one by now, and says so; its 404 is about something else.
    const isSuspect = mayBeLost(answer) && (this.#id !== undefined || answer.status === 400);
    if (!isSuspect) return { lost: false, answer };
    return await lookInto(answer, idText);
  }

  /** Makes the session anew, once for all who have found it lost. */
  async #renew(lost: number): Promise<void> {
    if (lost === this.#generation) {
      this.#renewing ??= this.#replace().finally(() => this.#renewing = undefined);
    }
    await this.#renewing;
  }

  async #replace(): Promise<void> {
    await this.#initialize();
    await this.#options.onReplaced();
  }
}
