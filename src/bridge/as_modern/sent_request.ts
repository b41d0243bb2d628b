/**
 * A request as it is at the server: under names that nothing else in its session has, from the POST that sends it
 * to the stream that answers it. One that is sent again is another one.
 *
 * Sources: 2025-11-25 basic/utilities/cancellation, basic/utilities/progress.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import type { CancelSignal } from "../../http/mod.ts";
import { Reconnect } from "../../relay/mod.ts";
import { type Key, keyOf, likeType, type RpcText, textAt } from "../../rpc/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import type { ClientRequest } from "./client_request.ts";
import { MessageSource } from "./message_source.ts";
import type { Settings } from "./options.ts";
import type { ServerSession } from "./server_session.ts";
import { isResponseTo } from "./responses.ts";
import { towardServer } from "./toward_server.ts";

/** Where the token for progress stands in a request. */
export const TOKEN = ["params", "_meta", "progressToken"] as const;

const CANCELLED = "notifications/cancelled";

/** What a request is sent with. */
export interface SentRequestOptions {
  /** Settings. */
  readonly settings: Pick<Settings, "clock" | "backOff" | "maxEventBytes">;
  /** The session in which it is sent. */
  readonly session: ServerSession;
  /** The call that it came with. */
  readonly call: Pick<UpstreamCall, "headers" | "sent" | "onFailed">;
}

/** One sending of a request. */
export class SentRequest {
  /** Its id at the server. */
  readonly id: Key;
  /** Its token for progress there; undefined where it has none. */
  readonly token: Key | undefined;
  readonly #options: SentRequestOptions;
  readonly #idText: string;
  readonly #tokenText: string | undefined;
  readonly #abort = new AbortController();
  /** Which of the server's sessions has it; 0 for none. */
  #generation = 0;
  #source: MessageSource | undefined;

  /** One that was not sent yet, for a client's request with these types of id and token. */
  constructor(options: SentRequestOptions, { idText, message }: ClientRequest) {
    this.#options = options;
    const { wire } = options.session;
    this.#idText = likeType(idText, wire.serial());
    this.id = keyOf(this.#idText)!;
    const token = textAt(message, TOKEN);
    this.#tokenText = keyOf(token) && likeType(token!, wire.serial());
    this.token = keyOf(this.#tokenText);
  }

  /** Aborted when nobody waits for the response any more. */
  get signal(): CancelSignal {
    return this.#abort.signal;
  }

  /** Whether the server answers it with a stream. */
  get isStream(): boolean {
    return this.#source?.isStream === true;
  }

  /** Whether a message is the response to it. */
  isAnsweredBy(message: RpcText): boolean {
    return isResponseTo(message, this.id);
  }

  /** Sends it; the head of the answer. @throws {ProxyError | SessionRefused} */
  async send(request: ClientRequest): Promise<UpstreamAnswer> {
    const { session, call: { headers, sent, onFailed } } = this.#options;
    const names = { idText: this.#idText, tokenText: this.#tokenText };
    const message = { text: towardServer(request, names), idText: this.#idText };
    const call = { headers, sent, onFailed, signal: this.#abort.signal };
    return await session.wire.exchange(request.method, message, call, (generation) => {
      this.#generation = generation;
    });
  }

  /** The messages of its answer, also behind breaks of the stream. */
  read(answer: UpstreamAnswer): MessageSource {
    const { session, settings: { clock, backOff, maxEventBytes } } = this.#options;
    const generation = this.#generation;
    const reconnect = new Reconnect({
      clock,
      backOff,
      listen: (lastEventId) => session.wire.resume(lastEventId, generation, this.#abort.signal),
      onSessionGone: () => {},
    });
    return this.#source = new MessageSource(answer, { maxEventBytes, reconnect });
  }

  /** Gives the server the answer to one of its own requests. @throws {ProxyError} where it does not take it */
  async give(idText: string, answer: string): Promise<void> {
    const text = `{"jsonrpc":"2.0","id":${idText},"result":${answer}}`;
    const { wire } = this.#options.session;
    // A server may ask as soon as there is a session, ahead of the request.
    if (await wire.notify(text, this.#generation || wire.generation)) return;
    const sentence =
      "The upstream server does not take the answers any more; send the request again.";
    throw new ProxyError("upstream_closed", sentence);
  }

  /** Tells the server that nobody waits for the response any more; nothing where it was never sent. */
  cancel(reason: string): void {
    if (this.#generation === 0) return;
    const params = `{"requestId":${this.#idText},"reason":${JSON.stringify(reason)}}`;
    const text = `{"jsonrpc":"2.0","method":"${CANCELLED}","params":${params}}`;
    this.#options.session.tell(CANCELLED, text, this.#generation);
  }

  /** Gives up the sending that may be under way. */
  abort(): void {
    this.#abort.abort();
  }

  /** Reads no more of its answer. */
  discard(): void {
    this.#source?.discard();
  }
}
