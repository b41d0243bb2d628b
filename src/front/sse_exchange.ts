/**
 * One message of a client of HTTP+SSE: past the interceptors, to the upstream, and its answer to the client's
 * stream.
 *
 * @module
 */

import { errorBody, ProxyError, toProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import { type Message, methodForLog, parseBody } from "../json/mod.ts";
import { Pending } from "../relay/mod.ts";
import {
  nameMetadata,
  RESOURCE_METADATA,
  type SentTo,
  type UpstreamAnswer,
  type UpstreamCall,
} from "../upstream/mod.ts";
import { answeredHere, type RequestInterceptors } from "./interceptors.ts";
import { tellFailure, toldName } from "./failures.ts";
import { requestedMethod } from "./passage.ts";
import { forNobody, Recovery } from "./recovery.ts";
import { refusal } from "./refusal.ts";
import { isChallenge } from "./renewal.ts";
import { learn } from "./session_facts.ts";
import { fieldOf, type Follow, followStream } from "./sse_follow.ts";
import { listen } from "./sse_listening.ts";
import type { SseArrival, SseMessage } from "./sse_messages.ts";
import { opened } from "./sse_opening.ts";
import type { InLine } from "./sse_order.ts";
import { EventRelay, relayJson } from "./sse_relay.ts";
import type { SseSession } from "./sse_session.ts";

const CANCELLED = "notifications/cancelled";

/** A message as it goes upstream. */
interface Outbound {
  readonly bytes: Uint8Array;
  readonly message: Message;
}

/** Sees to one message; never rejects. */
export class SseExchange {
  readonly #client: SseSession;
  readonly #one: SseMessage;
  readonly #arrival: SseArrival;
  readonly #inLine: InLine;
  readonly #interceptors: RequestInterceptors | undefined;
  readonly #sent: SentTo = { target: undefined };

  /** For a message of `client`. */
  constructor(client: SseSession, one: SseMessage, inLine: InLine) {
    this.#client = client;
    this.#one = one;
    this.#arrival = one.arrival;
    this.#inLine = inLine;
    this.#interceptors = client.interceptorsOf(one.arrival.message);
  }

  /** Sends it when what came before it is with the upstream, and tells when it is there itself. */
  async run(): Promise<void> {
    let sent: Outbound | undefined;
    try {
      sent = await this.#inbound();
      await this.#inLine.before;
      if (sent !== undefined && !this.#client.over) await this.#send(sent);
    } catch (error) {
      if (this.#inLine.opens) this.#client.notOpened();
      await this.#fail(error);
    }
    // Also where the server could not hear it: a client says that once, and this transport tells it nothing.
    if (sent?.message.method === "notifications/initialized") listen(this.#client, this.#arrival);
  }

  /** What is left of it behind the interceptors; undefined where they have answered or dropped it. */
  async #inbound(): Promise<Outbound | undefined> {
    const { message, bytes, headers } = this.#arrival;
    const inbound = await this.#interceptors?.inbound(bytes, headers);
    if (inbound === undefined || inbound.body === bytes) return { message, bytes };
    if (inbound.body !== null) {
      const { messages } = parseBody(inbound.body, this.#client.route.limits);
      return { message: messages[0]!, bytes: inbound.body };
    }
    if (this.#inLine.opens) this.#client.notOpened();
    if (inbound.answers.length > 0) {
      const data = answeredHere(inbound, false);
      await this.#client.stream.send([{ event: "message", data }]);
    }
    return undefined;
  }

  async #send(sent: Outbound): Promise<void> {
    const { route, session } = this.#client;
    const { sessions } = route;
    const { answer, call, generation } = await this.#asked(sent);
    this.#one.reading(answer.body);
    if (this.#isChallenged(answer, answer.headers)) return answer.body.discard();
    this.#arrival.decide?.();
    if (answer.status < 400) this.#client.taken(this.#arrival.headers);
    if (this.#inLine.opens) await opened(this.#client, answer, call, sent.bytes);
    else learn(sessions, session, sent.message, answer);
    this.#inLine.ready();
    if (sent.message.kind === "request") return await this.#relay(answer, call, generation);
    answer.body.discard();
    if (answer.status >= 400) throw refusedWith(answer.status);
    if (sent.message.method === CANCELLED) this.#client.cancelled(sent.bytes);
  }

  /**
   * Whether the upstream wants other credentials, and the POST has not been answered: then it is answered with that, for
   * on the stream nobody could say where to get them (2025-03-26 basic/authorization).
   */
  #isChallenged({ status }: Pick<UpstreamAnswer, "status">, headers: Fields): boolean {
    const { decide, message: { idText } } = this.#arrival;
    if (decide === undefined || !isChallenge({ status, headers })) return false;
    if (this.#inLine.opens) this.#client.notOpened();
    const sentence = `The upstream server refused the message with HTTP status ${status}.`;
    const error = new ProxyError("upstream_status", sentence, { upstreamStatus: status });
    const found = refusal(error.withId(idText));
    headers.forEach((value, name) =>
      name === "www-authenticate" && found.fields.append(name, value)
    );
    nameMetadata(found.fields, () => RESOURCE_METADATA + this.#client.path);
    return decide(found);
  }

  /** The upstream's answer. A request that the client cancels gets none from when the upstream is told of it. */
  async #asked(sent: Outbound) {
    if (sent.message.method !== CANCELLED) return await this.#ask(sent);
    const want = this.#client.unwanted(sent.bytes);
    try {
      const asked = await this.#ask(sent);
      if (asked.answer.status >= 400) want();
      return asked;
    } catch (error) {
      want();
      throw error;
    }
  }

  /** The upstream's answer; where it has lost the session, that of one made anew. */
  async #ask({ message, bytes }: Outbound) {
    const { route: { upstream, recovery }, session } = this.#client;
    const send = (call: UpstreamCall) => {
      const renamed = session.names?.toUpstream.apply(bytes) ?? bytes;
      return message.kind === "request"
        ? upstream.exchange(call, renamed)
        : upstream.notify(call, renamed);
    };
    const { generation } = session.record;
    // What an `initialize` opens can be ended only when its answer is there.
    const signal = this.#inLine.opens ? new AbortController().signal : this.#one.signal;
    const call: UpstreamCall = {
      ...this.#client.callOf(this.#arrival.headers, signal),
      method: requestedMethod(message),
      sent: this.#sent,
      onFailed: (error) => this.#told(error),
    };
    const answer = await send(call);
    if (call.sessionId === undefined || !Recovery.isSuspect(answer)) {
      return { answer, call, generation };
    }
    const again = message.kind === "response" ? forNobody : send;
    const { idText } = message;
    const recovered = await recovery.again(session, generation, answer, call, again, idText);
    return { answer: recovered, call, generation: session.record.generation };
  }

  async #relay(answer: UpstreamAnswer, call: UpstreamCall, generation: number): Promise<void> {
    const idText = this.#arrival.message.idText!;
    const target = { ...this.#client.target, isUnwanted: () => this.#one.unwanted };
    const interceptors = this.#interceptors;
    if (answer.failure && !this.#isForNobody) this.#told(answer.failure);
    if (answer.status !== 200 || answer.kind !== "sse") {
      const json = interceptors?.maxBytes === undefined
        ? undefined
        : (body: Uint8Array) => interceptors.json(body, call);
      return await relayJson(answer, target, {
        idText,
        json,
        onReplaced: (error) => this.#told(error),
        turns: this.#client.turns,
      });
    }
    const pending = new Pending([idText]);
    const { session, route: { upstream } } = this.#client;
    const follow: Follow = {
      relay: (onDelivered) =>
        new EventRelay(target, interceptors?.inspect(call), pending, (withIds) => {
          onDelivered(withIds);
          if (pending.size === 0) this.#client.answered(this.#one);
        }),
      isDone: () => pending.size === 0,
      keep: (body) => this.#one.reading(body),
      // In a session made anew nobody knows of the request (R79).
      mayGoOn: (lastEventId) =>
        lastEventId !== undefined && session.record.generation === generation,
      listen: (lastEventId) =>
        upstream.listen({ ...this.#client.renewed(call), lastEventId: fieldOf(lastEventId) }),
      signal: this.#one.signal,
      standing: false,
    };
    const end = await followStream(this.#client, answer.body, follow);
    if (pending.size > 0) throw end ?? noAnswer();
  }

  /**
   * Tells the client. Until that has room the message stays under way: nothing else bounds what waits for one
   * that does not read (R49).
   */
  async #fail(thrown: unknown): Promise<void> {
    const { stream } = this.#client;
    const { idText, kind } = this.#arrival.message;
    if (this.#isForNobody) return;
    const error = toProxyError(thrown);
    if (this.#isChallenged(error, new Fields(Object.entries(error.headers).flat()))) return;
    this.#told(error);
    if (kind !== "request" || idText === undefined) return;
    await stream.room();
    if (this.#isForNobody) return;
    await stream.send([{ event: "message", data: errorBody(error.withId(idText)) }]);
  }

  /** The client is told of a failure, here or by who has answered in the server's place. */
  #told(error: ProxyError): void {
    const { route, principal } = this.#client;
    tellFailure(route, error, {
      route: route.route,
      principal: toldName(principal),
      rpc: methodForLog(this.#arrival.message.method),
      ...this.#sent,
    });
  }

  get #isForNobody(): boolean {
    return this.#one.isTakenBack || this.#client.over;
  }
}

function refusedWith(status: number): ProxyError {
  const sentence = `The upstream server refused a message with HTTP status ${status}.`;
  return new ProxyError("upstream_status", sentence);
}

function noAnswer(): ProxyError {
  const sentence = "The upstream server ended its stream without an answer to this request.";
  return new ProxyError("upstream_closed", sentence);
}
