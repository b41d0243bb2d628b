/**
 * One message of a client of HTTP+SSE: past the interceptors, to the upstream, and its answer to the client's
 * stream.
 *
 * @module
 */

import { errorBody, isStop, ProxyError, toProxyError } from "../errors.ts";
import { type CancelSignal, detached, Fields } from "../http/mod.ts";
import { type Message, methodForLog, parseBody } from "../json/mod.ts";
import { Pending, Reconnect } from "../relay/mod.ts";
import { MAX_UPSTREAM_ID_BYTES } from "../session/mod.ts";
import type { SseEvent } from "../sse/mod.ts";
import {
  nameMetadata,
  RESOURCE_METADATA,
  type SentTo,
  type UpstreamAnswer,
  type UpstreamBody,
  type UpstreamCall,
} from "../upstream/mod.ts";
import { answeredHere, RequestInterceptors } from "./interceptors.ts";
import { tellFailure, toldName } from "./failures.ts";
import { keptInitialize } from "./kept_initialize.ts";
import { missedEvents } from "./missed.ts";
import { requestedMethod } from "./passage.ts";
import { forNobody, Recovery } from "./recovery.ts";
import { refusal } from "./refusal.ts";
import { isChallenge, letGo } from "./renewal.ts";
import { learn, learnInitialized } from "./session_facts.ts";
import { EventRelay, relayJson, type RelayTarget } from "./sse_relay.ts";
import type { SseSession, UnderWay } from "./sse_session.ts";

const CANCELLED = "notifications/cancelled";

/** A message as it goes upstream. */
interface Outbound {
  readonly bytes: Uint8Array;
  readonly message: Message;
}

/** Sees to one message; never rejects. */
export class SseExchange {
  readonly #client: SseSession;
  readonly #one: UnderWay;
  readonly #interceptors: RequestInterceptors | undefined;
  readonly #opens: boolean;
  readonly #sent: SentTo = { target: undefined };

  /** For a message of `client`; `opens` says whether it is the `initialize` that opens its session. */
  constructor(client: SseSession, one: UnderWay, opens: boolean) {
    this.#client = client;
    this.#one = one;
    this.#opens = opens;
    this.#interceptors = interceptorsFor(client, one.message);
  }

  /** Sends it when what came `before` it is with the upstream, and tells when it is there itself. */
  async run(before: Promise<void> | undefined, ready: () => void): Promise<void> {
    let sent: Outbound | undefined;
    try {
      sent = await this.#inbound();
      await before;
      if (sent !== undefined && !this.#client.over) await this.#send(sent, ready);
    } catch (error) {
      if (this.#opens) this.#client.notOpened();
      await this.#fail(error);
    }
    // Also where the server could not hear it: a client says that once, and this transport tells it nothing.
    if (sent?.message.method === "notifications/initialized") listen(this.#client, this.#one);
  }

  /** What is left of it behind the interceptors; undefined where they have answered or dropped it. */
  async #inbound(): Promise<Outbound | undefined> {
    const { message, bytes, headers } = this.#one;
    const inbound = await this.#interceptors?.inbound(bytes, headers);
    if (inbound === undefined || inbound.body === bytes) return { message, bytes };
    if (inbound.body !== null) {
      const { messages } = parseBody(inbound.body, this.#client.route.limits);
      return { message: messages[0]!, bytes: inbound.body };
    }
    if (this.#opens) this.#client.notOpened();
    if (inbound.answers.length > 0) {
      const data = answeredHere(inbound, false);
      await this.#client.stream.send([{ event: "message", data }]);
    }
    return undefined;
  }

  async #send(sent: Outbound, ready: () => void): Promise<void> {
    const { route, session } = this.#client;
    const { sessions } = route;
    const { answer, call, generation } = await this.#asked(sent);
    this.#one.body = answer.body;
    if (this.#isChallenged(answer, answer.headers)) return answer.body.discard();
    this.#one.decide?.();
    if (answer.status < 400) this.#client.taken(this.#one.headers);
    if (this.#opens) await this.#opened(answer, call, sent.bytes);
    else learn(sessions, session, sent.message, answer);
    ready();
    if (sent.message.kind === "request") return await this.#relay(answer, call, generation);
    answer.body.discard();
    if (answer.status >= 400) throw refusedWith(answer.status);
    if (sent.message.method === CANCELLED) {
      this.#client.cancelled(sent.message.params?.["requestId"]);
    }
  }

  /**
   * Whether the upstream wants other credentials, and the POST has not been answered: then it is answered with that, for
   * on the stream nobody could say where to get them (2025-03-26 basic/authorization).
   */
  #isChallenged({ status }: Pick<UpstreamAnswer, "status">, headers: Fields): boolean {
    if (this.#one.decide === undefined || !isChallenge({ status, headers })) return false;
    if (this.#opens) this.#client.notOpened();
    const sentence = `The upstream server refused the message with HTTP status ${status}.`;
    const error = new ProxyError("upstream_status", sentence, { upstreamStatus: status });
    const found = refusal(error.withId(this.#one.message.idText));
    headers.forEach((value, name) =>
      name === "www-authenticate" && found.fields.append(name, value)
    );
    nameMetadata(found.fields, () => RESOURCE_METADATA + this.#client.path);
    return this.#one.decide(found);
  }

  /** The upstream's answer. A request that the client cancels gets none from when the upstream is told of it. */
  async #asked(sent: Outbound) {
    const { method, params } = sent.message;
    if (method !== CANCELLED) return await this.#ask(sent);
    const want = this.#client.unwanted(params?.["requestId"]);
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
    const signal = this.#opens ? new AbortController().signal : this.#one.control.signal;
    const call: UpstreamCall = {
      ...this.#client.callOf(this.#one.headers, signal),
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

  /** The answer to the `initialize` that opens the upstream session. */
  async #opened(answer: UpstreamAnswer, call: UpstreamCall, bytes: Uint8Array): Promise<void> {
    const { route: { sessions, upstream }, session } = this.#client;
    if (answer.status === 200) learnInitialized(sessions, session, answer);
    // A server without sessions may be asked again; so may one that has refused.
    if (answer.status !== 200 || answer.sessionId === undefined) return this.#client.notOpened();
    const upstreamId = detached(answer.sessionId);
    if (new TextEncoder().encode(upstreamId).length > MAX_UPSTREAM_ID_BYTES) {
      throw new ProxyError(
        "upstream_protocol",
        "The upstream gave a session id that cannot be used.",
      );
    }
    const initialize = keptInitialize(bytes);
    const isKept = await sessions.change(session, (record) => ({
      ...record,
      upstreamId,
      ...(initialize !== undefined && { initialize }),
    }));
    if (isKept) return;
    answer.body.discard();
    letGo(upstream, { call: { ...call, sessionId: upstreamId } });
    throw new ProxyError("client_closed", "The client has gone.");
  }

  async #relay(answer: UpstreamAnswer, call: UpstreamCall, generation: number): Promise<void> {
    const idText = this.#one.message.idText!;
    const target = { ...targetOf(this.#client), isUnwanted: () => this.#one.unwanted };
    const interceptors = this.#interceptors;
    if (answer.failure && !this.#isForNobody) this.#told(answer.failure);
    if (answer.status !== 200 || answer.kind !== "sse") {
      const json = interceptors?.maxBytes === undefined
        ? undefined
        : (body: Uint8Array) => interceptors.json(body, call);
      return await relayJson(answer, target, { idText, json, turns: this.#client.turns });
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
      keep: (body) => void (this.#one.body = body),
      // In a session made anew nobody knows of the request (R79).
      mayGoOn: (lastEventId) =>
        lastEventId !== undefined && session.record.generation === generation,
      listen: (lastEventId) =>
        upstream.listen({ ...this.#client.renewed(call), lastEventId: fieldOf(lastEventId) }),
      signal: this.#one.control.signal,
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
    const { idText, kind } = this.#one.message;
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
      rpc: methodForLog(this.#one.message.method),
      ...this.#sent,
    });
  }

  get #isForNobody(): boolean {
    return this.#one.cancelled || this.#one.unwanted || this.#client.over;
  }
}

/** How a stream of the upstream is followed to its end. */
interface Follow {
  readonly relay: (onDelivered: (withIds: boolean) => void) => EventRelay;
  /** Whether nothing more is expected of it. */
  readonly isDone: () => boolean;
  readonly keep: (body: UpstreamBody) => void;
  readonly mayGoOn: (lastEventId: string | undefined) => boolean;
  readonly listen: (lastEventId: string | undefined, ids: number) => Promise<UpstreamAnswer>;
  readonly signal: CancelSignal;
  /** See `Reconnect`. */
  readonly standing: boolean;
  /** What its client has to be told once it was taken up again; left out where nothing is. */
  readonly missed?: () => readonly SseEvent[];
}

/**
 * Passes a stream on, and takes it up again where it breaks off, since the client cannot (R57): by its last
 * event id, as 2025-11-25 basic/transports has it of clients.
 *
 * @param first left out where it is to be asked for
 * @returns what it broke off with, if it did
 */
async function followStream(
  client: SseSession,
  first: UpstreamBody | undefined,
  follow: Follow,
): Promise<unknown> {
  const { clock, backOff } = client.route;
  const { listen, signal, standing } = follow;
  const reconnect = new Reconnect({ clock, backOff, listen, standing, onSessionGone: () => {} });
  const relay = follow.relay((withIds) => reconnect.delivered(withIds));
  const stop = () => reconnect.stop();
  signal.addEventListener("abort", stop);
  try {
    const isOver = () => client.over || signal.aborted;
    // Servers that give an answer again forget the end behind it: the official v1 SDK does.
    const isEnough = () => isRest && follow.isDone();
    let isRest = false;
    let body = first ?? await reconnect.again(undefined, undefined, isOver);
    while (body !== undefined) {
      follow.keep(body);
      const { lastEventId, retryMs, failure } = await relay.pass(body, isEnough);
      isRest = true;
      if (isOver() || follow.isDone()) return undefined;
      if (isStop(failure) || !follow.mayGoOn(lastEventId)) return failure;
      body = await reconnect.after(lastEventId, retryMs, isOver, failure === undefined);
      if (body !== undefined) await relay.tell(follow.missed?.() ?? []);
    }
    return undefined;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Opens the stream on which the upstream speaks first, for as long as the client is there; never rejects. */
function listen(client: SseSession, { headers, message }: UnderWay): void {
  const { route, session } = client;
  const { upstream, recovery } = route;
  const signal = client.listenOnce();
  if (signal === undefined) return;
  const interceptors = interceptorsFor(client, { ...message, method: undefined });
  // How many event ids had come before the upstream session was made anew, which knows nothing of them (R79).
  let begun: { generation: number; staleIds?: number } = session.record;
  let isBehindGap = false;
  const ask = async (lastEventId: string | undefined, ids: number): Promise<UpstreamAnswer> => {
    const { generation } = session.record;
    if (generation > begun.generation) begun = { generation, staleIds: ids };
    const known = ids === begun.staleIds ? undefined : lastEventId;
    const call = {
      ...client.renewed(client.callOf(headers, signal)),
      lastEventId: fieldOf(known),
    };
    isBehindGap = known === undefined;
    const answer = await upstream.listen(call);
    if (call.sessionId === undefined || !Recovery.isSuspect(answer)) return answer;
    const anew = { ...call, lastEventId: null };
    const listenAnew = (made: UpstreamCall) => {
      begun = { generation: session.record.generation, staleIds: ids };
      isBehindGap = true;
      return upstream.listen(made);
    };
    return await recovery.listenAgain(session, generation, answer, anew, listenAnew);
  };
  const follow = async () => {
    const call = client.callOf(headers, signal);
    let current: UpstreamBody | undefined;
    signal.addEventListener("abort", () => current?.discard(), { once: true });
    const failure = await followStream(client, undefined, {
      relay: (onDelivered) =>
        new EventRelay(targetOf(client), interceptors?.inspect(call), undefined, onDelivered),
      isDone: () => false,
      keep: (body) => void (current = body),
      mayGoOn: () => true,
      listen: async (lastEventId, ids) => {
        const answer = await ask(lastEventId, ids);
        // R89: a server that offers no such stream says so once.
        hasNone = answer.status === 405;
        route.book.listening(session, answer.body, begun.generation);
        return answer;
      },
      signal,
      standing: true,
      missed: () => isBehindGap ? missedEvents(session) : [],
    });
    if (failure !== undefined) throw failure;
  };
  let hasNone = false;
  follow().catch((error) => {
    if (client.over || hasNone) return;
    const principal = toldName(client.principal);
    tellFailure(route, toProxyError(error), { route: route.route, principal });
  });
}

function interceptorsFor(
  { route: { interceptors }, principal, session }: SseSession,
  { method, idText }: Partial<Pick<Message, "method" | "idText">> | {
    method: undefined;
    idText?: string;
  },
): RequestInterceptors | undefined {
  if (interceptors === undefined) return undefined;
  return new RequestInterceptors(interceptors, {
    principal: principal.name,
    era: "session",
    revision: session.revision,
    sessionId: session.id,
    method,
    idText,
  });
}

function targetOf({ stream, session, route: { limits } }: SseSession): RelayTarget {
  return { stream, session, maxBytes: limits.maxEventBytes };
}

/** An event id as a header field, a character for each byte of its UTF-8 (WHATWG HTML 9.2.3). */
function fieldOf(lastEventId: string | undefined): string | null {
  if (lastEventId === undefined) return null;
  return String.fromCharCode(...new TextEncoder().encode(lastEventId));
}

function refusedWith(status: number): ProxyError {
  const sentence = `The upstream server refused a message with HTTP status ${status}.`;
  return new ProxyError("upstream_status", sentence);
}

function noAnswer(): ProxyError {
  const sentence = "The upstream server ended its stream without an answer to this request.";
  return new ProxyError("upstream_closed", sentence);
}
