/**
 * The requests of one session: sent, and answered by the server or in its place.
 *
 * Source: 2025-11-25 basic/lifecycle, basic/utilities/cancellation.
 *
 * @module
 */

import { errorBody, ProxyError, toProxyError } from "../errors.ts";
import type { FieldReader } from "../http/mod.ts";
import {
  at,
  type Drops,
  type EventBody,
  Exchange,
  joined,
  keyOf,
  requestsById,
  type RpcBody,
  type RpcText,
  textAt,
} from "../rpc/mod.ts";
import type { UpstreamCall } from "../upstream/mod.ts";
import { cancellation, CANCELLED, cancelledIds } from "./cancellation.ts";
import type { HeldChannel } from "./held_channel.ts";
import type { ChannelUpstreamOptions } from "./options.ts";
import { Requests } from "./requests.ts";

/** What the requests of one session work with. */
export interface CallsOptions extends Pick<ChannelUpstreamOptions, "clock" | "limits"> {
  /** What could not be delivered, in any session. */
  readonly drops: Drops;
  /** Where they go. */
  readonly channel: HeldChannel;
  /** A stream for the reader of an answer. */
  readonly openBody: () => EventBody;
}

/** All of one session. */
export class Calls {
  /** Those that have no response. */
  readonly requests = new Requests();
  readonly #options: CallsOptions;
  #accepted = false;
  #revision: string | undefined;

  /** None yet. */
  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** Whether the server has answered anything with a result. */
  get isAccepted(): boolean {
    return this.#accepted;
  }

  /** The revision that its `initialize` settled, once that is answered. */
  get revision(): string | undefined {
    return this.#revision;
  }

  /**
   * Sends a body with a request.
   *
   * @param firstMessageMs longest wait for the first that comes of it
   * @throws {ProxyError} `upstream_saturated`
   */
  begin(
    { signal, headers, onFailed }: UpstreamCall,
    body: RpcBody,
    firstMessageMs: number,
  ): Exchange {
    const { asked, refused } = requestsById(body, (key) => this.requests.has(key));
    this.#makeRoom(asked.size);
    const { clock, openBody } = this.#options;
    const exchange: Exchange = new Exchange({
      clock,
      batch: body.batch,
      asked: new Map(asked.entries().map(([key, message]) => [key, textAt(message, ["id"])!])),
      ready: [...refused.values()],
      firstMessageMs,
      signal,
      openBody,
      onTimeout: () => this.#timedOut(exchange),
      onFailed,
    });
    for (const [key, message] of asked) this.requests.add(key, message, exchange);
    const going = body.messages.filter((message) => !refused.has(message)).map(({ text }) => text);
    if (going.length > 0) this.#send(joined(going, body.batch), headers, body, exchange);
    return exchange;
  }

  /** The server answers no request that its client has cancelled; whoever waits is told here. */
  settleCancelled(body: RpcBody): void {
    for (const idText of cancelledIds(body)) {
      const key = keyOf(idText);
      const error = new ProxyError("client_closed", "The request was cancelled.", { idText });
      this.requests.take(key)?.respond(key!, errorBody(error));
    }
  }

  /** A response of the server; false where it answers no request. */
  respond(message: RpcText): boolean {
    if (Object.hasOwn(message.value, "result")) this.#accept(message);
    const answered = this.requests.takeAnswered(message);
    answered?.exchange.respond(answered.key, answered.text);
    return answered !== undefined;
  }

  /** All that have no response are told this error. */
  fail(error: ProxyError): void {
    for (const exchange of this.requests.exchanges()) {
      this.requests.takeOf(exchange);
      exchange.fail(error);
    }
  }

  #makeRoom(count: number): void {
    const { maxRequests } = this.#options.limits;
    if (this.requests.makeRoom(count, maxRequests)) return;
    const sentence = `This session has ${maxRequests} requests in flight, which is the limit here.`;
    throw new ProxyError("upstream_saturated", sentence);
  }

  /** Does not wait for the channel: the server may answer while it still reads. */
  async #send(
    text: string,
    headers: FieldReader,
    body: RpcBody,
    exchange: Exchange,
  ): Promise<void> {
    try {
      await this.#options.channel.send(text, headers);
      this.settleCancelled(body);
    } catch (error) {
      this.requests.takeOf(exchange);
      exchange.fail(toProxyError(error));
    }
  }

  /** Nobody waits any longer for what has not begun to be answered (2025-11-25 basic/lifecycle, "Timeouts"). */
  #timedOut(exchange: Exchange): void {
    const keys = this.requests.takeOf(exchange);
    const idTexts = keys.map((key) => exchange.idText(key)!);
    const sentence = "The upstream server took too long to answer.";
    exchange.fail(new ProxyError("upstream_timeout", sentence));
    // Until a result has come that of `initialize` is waited for, which must not be cancelled (2025-11-25
    // basic/utilities/cancellation, "Behavior Requirements"); its channel is closed.
    if (!this.#accepted) return;
    for (const idText of idTexts) {
      const lost = () => this.#options.drops.count(CANCELLED);
      this.#options.channel.tell(cancellation(idText, sentence), lost);
    }
  }

  /** The first result is that of `initialize`. */
  #accept({ value }: RpcText): void {
    const revision = this.#accepted ? undefined : at(value, "result", "protocolVersion");
    if (typeof revision === "string") this.#revision = revision;
    this.#accepted = true;
  }
}
